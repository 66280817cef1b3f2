"""Agreement of raters in a round, and of each with what they said before."""

from pathlib import Path

import numpy as np
import pytest

from label_stores import gold_item, make_examples, make_task, pair_item, voted
from preceptor.evidence import agreement
from preceptor.preferences import consistency, rater_agreement
from preceptor.preferences.labelling import Store, Vote


def of_store(path: Path):
    store = Store.open(path)
    return {one.what: one.found for one in rater_agreement(store.items(), store.votes())}


def test_which_is_better_is_a_rank_with_neither_in_the_middle(tmp_path: Path) -> None:
    task, cases = make_task(), make_examples(5)
    said = {"x": ["a", "b", "tie", "a", "a"], "y": ["a", "b", "both_bad", "b", None], "lead": ["b"] * 5}
    found = of_store(voted(tmp_path / "s.sqlite", [pair_item(task, case) for case in cases], said))["preference"]
    ranks = np.array([[1, 1], [-1, -1], [0, 0], [1, -1]], float)
    groups = np.array(["P0", "P0", "P1", "P1"])
    assert found == agreement(ranks, "ordinal", groups=groups)
    assert found.items == 4


def test_each_answer_has_scores_of_its_own(tmp_path: Path) -> None:
    task, cases = make_task("text"), make_examples(3)
    items = [pair_item(task, case, kind="score", scales=("quality", "omissions")) for case in cases]

    def scored(*quality: tuple[int, int]) -> list[dict]:
        return [
            {"choice": "a", "scores": {"quality": {"a": a, "b": b}, "omissions": {"a": 0, "b": a}}} for a, b in quality
        ]

    said = {"x": scored((5, 1), (4, 2), (3, 3)), "y": scored((5, 1), (4, 3), (2, 3))}
    found = of_store(voted(tmp_path / "s.sqlite", items, said))
    assert found["quality"].raw.value == pytest.approx(4 / 6)
    assert found["omissions"].level == "interval"
    assert found["omissions"].items == 6


@pytest.mark.parametrize(("labels", "level"), [(("1", "2", "3"), "ordinal"), (("home", "ward", "now"), "nominal")])
def test_labels_that_are_numbers_are_ranks(tmp_path: Path, labels: tuple[str, ...], level: str) -> None:
    task = make_task(labels=labels)
    items = [gold_item(task, case) for case in make_examples(3)]
    found = of_store(voted(tmp_path / "s.sqlite", items, {"x": labels, "y": [labels[0], labels[1], labels[0]]}))
    assert found["label"].level == level
    assert found["label"].raw.value == pytest.approx(2 / 3)


def test_a_rater_who_was_asked_again_is_told_how_often_it_was_the_same(tmp_path: Path) -> None:
    items = [pair_item(make_task(), case) for case in make_examples(4)]
    path = voted(tmp_path / "s.sqlite", items, {"x": ["a", "b", "tie", "a"], "y": ["a"] * 4})
    store = Store.open(path)
    for item, choice in zip(items[:3], ["a", "a", "tie"], strict=True):
        store.record(Vote(item.id, "x", choice, repeat=True))
    (found,) = consistency(store.votes())
    assert (found.rater, found.again) == ("x", 3)
    assert found.share.value == pytest.approx(2 / 3)
    assert found.share.low < 2 / 3 < found.share.high
