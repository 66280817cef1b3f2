"""How the head of a stage read long cases, in pieces, as a sentence for a methods section."""

from collections.abc import Mapping
from typing import Any

from preceptor.models import HEAD, SNIPPET_ATTENTION, SNIPPET_POOLS, chunks_of
from preceptor.study import find_kind, kind_names


def chunks_read(kind: str, slots: Mapping[str, Mapping[str, Any]], train: list[str]) -> str:
    """The sentence; "" where no case was read in pieces. slots, train: the study's, and those that the stage names."""
    if kind not in kind_names() or not getattr(find_kind(kind), "trains_head", False):
        return ""
    named = {name: slot for name, slot in slots.items() if name in train and slot.get("type") == HEAD} or slots
    pools = [slot.get("pool") for slot in named.values()]
    if pool := next((one for one in pools if one in SNIPPET_POOLS), None):
        weights = "weighed by an attention over them" if pool == SNIPPET_ATTENTION else "all alike"
        return f" Each snippet of a case was read by itself, and the classifier read the mean of snippets, {weights}."
    chunks = next((found for slot in named.values() if (found := chunks_of(slot))), None)
    if chunks is None:
        return ""
    return (
        f" Cases of more than {chunks.length} tokens were read in chunks of at most so many, about equal in length, "
        f"neighbours of which share {chunks.overlap}; the classifier read all chunks of a case together."
    )
