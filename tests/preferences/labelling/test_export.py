"""A round in one file."""

import json
import stat
from pathlib import Path

from labelling_rounds import make_pair
from preceptor.preferences.labelling import Store, Vote, export


def test_the_same_store_gives_the_same_private_file_and_every_vote_once(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "s.sqlite", [make_pair(n) for n in range(3)], title="t")
    token = store.add_rater("anna")
    store.record(Vote("toy/0", "anna", "a", "ba", {"quality": {"b": 2, "a": 1}}, "n\u2028ote", "\u00e9", 1.5))
    store.record(Vote("toy/1", "anna", None))
    store.record(Vote("toy/2", "anna", "b"))
    store.undo("anna")
    export(store, tmp_path / "a.jsonl")
    export(Store.open(store.path), tmp_path / "b.jsonl")
    text = (tmp_path / "a.jsonl").read_text()
    assert text == (tmp_path / "b.jsonl").read_text()
    assert stat.S_IMODE((tmp_path / "a.jsonl").stat().st_mode) == 0o600
    assert token not in text
    rows = [json.loads(line) for line in text.splitlines()]
    votes = [row for row in rows if row["row"] == "vote"]
    assert [(row["item"], row["choice"], row["undone"]) for row in votes] == [
        ("toy/0", "a", False), ("toy/1", None, False), ("toy/2", "b", True),
    ]  # fmt: skip
    assert (votes[0]["order"], votes[0]["note"], votes[0]["edited"]) == ("ba", "n\u2028ote", "\u00e9")
    items = [row for row in rows if row["row"] == "item"]
    assert items[0]["answers"][0] == {"source": "sft seed 0", "text": "Asthma, step 0."}
