"""Gold: two raters alike, or settled; written so that `preceptor check` reads it."""

import stat
from pathlib import Path

import pytest

from label_stores import gold_item, make_examples, make_task, pair_item, voted
from preceptor.data import DataSpec, read_examples
from preceptor.errors import InputError
from preceptor.preferences import gold, write_gold

TASK = make_task()


def store_of(folder: Path, said: dict, count: int, task=TASK, **settings) -> Path:
    return voted(folder / "g.sqlite", [gold_item(task, case) for case in make_examples(count)], said, **settings)


def test_two_alike_are_gold_a_third_or_the_lead_settles_and_the_rest_is_listed(tmp_path: Path) -> None:
    said = {
        "x": ["1", "1", "1", "1", "1", None],
        "y": ["1", "2", "2", "2", None, None],
        "z": [None, "2", None, "3", None, None],
        "lead": [None, None, "3", None, None, None],
    }
    found = gold(store_of(tmp_path, said, 6))
    assert [(row.item.example_id, row.answer, row.adjudicated) for row in found.rows] == [
        ("c0", "1", False),
        ("c1", "2", True),
        ("c2", "3", True),
    ]
    assert [item.example_id for item in found.disputed] == ["c3"]
    assert [item.example_id for item in found.incomplete] == ["c4", "c5"]


def test_one_rater_is_enough_where_the_round_asks_for_one(tmp_path: Path) -> None:
    assert [row.answer for row in gold(store_of(tmp_path, {"x": ["2"]}, 1, votes_per_item=1)).rows] == ["2"]


@pytest.mark.parametrize("parser", ["label", "final_answer", "text"])
def test_what_is_written_is_read_as_a_tasks_cases(tmp_path: Path, parser: str) -> None:
    task = make_task(parser)
    store = store_of(tmp_path, {"x": ["1", "3"], "y": ["1", "3"]}, 2, task)
    file = tmp_path / "gold.csv"
    write_gold(store, task, file)
    read = read_examples(DataSpec(path="gold.csv", group="patient", id="id"), task, tmp_path)
    assert [(e.id, e.group, dict(e.fields)) for e in read.examples] == [
        (e.id, e.group, dict(e.fields)) for e in make_examples(2)
    ]
    assert [task.parse(e.target) for e in read.examples] == ["1", "3"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_labels_of_another_task_are_refused(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"x": ["1"], "y": ["1"]}, 1)
    with pytest.raises(InputError, match="not of the task other"):
        write_gold(store, make_task(name="other"), tmp_path / "gold.csv")
    assert not (tmp_path / "gold.csv").exists()


def test_a_store_of_pairs_is_refused(tmp_path: Path) -> None:
    store = voted(tmp_path / "s.sqlite", [pair_item(TASK, make_examples(1)[0])], {"x": ["a"]})
    with pytest.raises(InputError, match="gave no gold labels"):
        gold(store)
