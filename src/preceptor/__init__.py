"""Preceptor: fine-tune by example and by preference, and say with honest statistics which is worth it."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from preceptor._version import __version__ as __version__

if TYPE_CHECKING:
    from preceptor.comparison import compare_predictions as compare_predictions
    from preceptor.interface import Results as Results
    from preceptor.interface import Study as Study
    from preceptor.interface import new_study as new_study

# Before any room imports a Hugging Face library, which reads these once.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

_ROOM_OF = {
    "Results": "preceptor.interface",
    "Study": "preceptor.interface",
    "compare_predictions": "preceptor.comparison",
    "new_study": "preceptor.interface",
}
"""Public name -> the room that has it, which is imported when the name is first asked for."""

__all__ = ["Results", "Study", "__version__", "compare_predictions", "new_study"]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOM_OF})
