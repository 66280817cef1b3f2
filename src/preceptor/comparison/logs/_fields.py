"""What a log says of a case beside the answer to it."""

from collections.abc import Mapping
from typing import Any

_OURS = ("id", "answer", "gold", "score")


def own_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that hold one text or number, but for those with the name of a column that a reader fills."""
    return {name: one for name, one in fields.items() if name not in _OURS and not isinstance(one, list | dict)}
