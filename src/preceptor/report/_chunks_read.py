"""How the head of a stage read long cases, as a sentence for a methods section."""

from collections.abc import Mapping
from typing import Any

from preceptor.models import HEAD, chunks_of
from preceptor.study import find_kind, kind_names


def chunks_read(kind: str, slots: Mapping[str, Mapping[str, Any]], train: list[str]) -> str:
    """The sentence; "" where no case was read in chunks. slots, train: the study's, and those that the stage names."""
    if kind not in kind_names() or not getattr(find_kind(kind), "trains_head", False):
        return ""
    named = {name: slot for name, slot in slots.items() if name in train and slot.get("type") == HEAD} or slots
    chunks = next((found for slot in named.values() if (found := chunks_of(slot))), None)
    if chunks is None:
        return ""
    return (
        f" Cases of more than {chunks.length} tokens were read in chunks of at most so many, about equal in length, "
        f"neighbours of which share {chunks.overlap}; the classifier read all chunks of a case together."
    )
