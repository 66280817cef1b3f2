"""Preceptor: fine-tune by example and by preference, and say with honest statistics which is worth it."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from preceptor.comparison import compare_predictions as compare_predictions

# Before any room imports a Hugging Face library, which reads these once.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"

__version__ = "0.1.0"

_ROOM_OF = {"compare_predictions": "preceptor.comparison"}
"""Public function -> the room that has it, which is imported when the function is first asked for."""

__all__ = ["__version__", "compare_predictions"]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)
