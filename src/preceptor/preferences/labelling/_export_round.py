"""Export of a round to one JSONL file; deterministic for a store."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from preceptor.files import write_atomic
from preceptor.preferences.labelling._store import Store


def export(store: Store, file: Path) -> None:
    """Write the round as JSONL, readable by its owner only: it is patient data. Replaces an existing file.

    One object per line, its type in `row`: the `round`, then each `rater` (without link), each `item` with its texts,
    and each `vote` ever given, oldest first; undone votes have `undone`, skips the choice `null`.
    """
    write_atomic(file, export_text(store))


def export_text(store: Store) -> str:
    """The text that `export` writes."""
    return "".join(json.dumps(row, sort_keys=True, allow_nan=False) + "\n" for row in _rows(store))


def _rows(store: Store) -> Iterator[dict[str, Any]]:
    yield {"row": "round", **store.metadata}
    yield from ({"row": "rater", **asdict(rater)} for rater in store.raters())
    yield from ({"row": "item", **asdict(item)} for item in store.items())
    yield from ({"row": "vote", **asdict(vote)} for vote in store.votes(effective=False))
