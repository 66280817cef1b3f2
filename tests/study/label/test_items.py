"""What raters are shown: training cases or held-out ones, never both, with two answers that differ."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from label_stores import voted
from preceptor.errors import InputError
from preceptor.files import digest_file
from preceptor.preferences import voted_pairs
from preceptor.preferences.labelling import Item
from preceptor.study import gold_items, items_to_label, load_study, read_predictions, run_study
from preceptor.study.cases import read_task
from preceptor.study.label.items import scales_of
from preceptor.tasks import load_task
from study_runs import Run, run
from tiny_study import TASK, write_study, write_table

QUIET = Console(quiet=True)
LEARNING: dict[str, Any] = {
    "adapter": "none",
    "sft": {"epochs": 10, "batch_size": 8, "learning_rate": 0.003, "patience": 9, "label_token_weight": None},
    "pairs": {"temperature": 0.7},
}
"""So long that answers can be read, and some that are drawn differ."""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> tuple[list[Item], Path]:
    """Items of a study that was never run, and its file."""
    folder = tmp_path_factory.mktemp("labelled")
    write_table(folder / "cases.csv", patients=100, wrong_every=8)
    file = write_study(folder, tiny_model_folder, votes="run/labels/pairs.sqlite", makers=["votes"], **LEARNING)
    study, base = load_study(str(file))
    return items_to_label(study, base, folder / "run", QUIET, cases=6, scores=True), file


def test_training_cases_alone_with_two_answers_that_differ(labelled: tuple[list[Item], Path]) -> None:
    items, file = labelled
    study, base = load_study(str(file))
    train = {example.id: example for example in read_task(study.tasks[0], study, base).splits.train}
    assert len(items) == 6
    for item in items:
        assert item.kind == "pair"
        assert dict(item.case) == dict(train[item.example_id].fields)
        assert item.group == train[item.example_id].group
        a, b = item.answers
        assert a.text != b.text
        assert a.source == "sft seed 0"
        assert b.source.startswith(("sft seed 0 sample ", "base"))
        assert item.scales == ("quality",)


def test_the_same_again_from_what_was_kept(labelled: tuple[list[Item], Path]) -> None:
    items, file = labelled
    study, base = load_study(str(file))
    ledgers = {path: path.stat().st_mtime_ns for path in file.parent.glob("run/stages/*/ledger.json")}
    assert len(ledgers) == 1
    assert items_to_label(study, base, file.parent / "run", QUIET, cases=6, scores=True) == items
    assert {path: path.stat().st_mtime_ns for path in file.parent.glob("run/stages/*/ledger.json")} == ledgers


def test_votes_on_the_items_become_the_pairs_of_the_study(
    labelled: tuple[list[Item], Path],
) -> None:
    items, file = labelled
    vote_on(items, file.parent / "run" / "labels" / "pairs.sqlite", ["x"], lambda _: {"choice": "a"})
    study, base = load_study(str(file))
    cases = read_task(study.tasks[0], study, base)
    made = voted_pairs(base / str(study.votes), cases.task, cases.splits.train)
    assert {(p.example_id, p.chosen, p.rejected) for p in made.pairs} == {
        (item.example_id, item.answers[0].text, item.answers[1].text) for item in items
    }
    assert made.notes == {}


def test_from_votes_to_a_model_to_scores_of_what_it_answers(
    labelled: tuple[list[Item], Path], tmp_path: Path, tiny_model_folder: Path
) -> None:
    """Raters make pairs, DPO is trained on them, raters score what came of it, and the study says so."""
    file = Path(shutil.copytree(labelled[1].parent, tmp_path / "study")) / "study.yaml"
    folder = file.parent / "run"
    shutil.rmtree(folder / "labels", ignore_errors=True)
    study, base = load_study(str(file))
    # By the task's metric, what raters prefer at random would not be kept.
    by_loss = study.dpo.model_copy(update={"metric_for_best_model": "loss"})
    study = study.model_copy(update={"dpo": by_loss})
    vote_on(labelled[0], folder / "labels" / "pairs.sqlite", ["x", "y"], lambda item: {"choice": "b"})
    first = run_study(study, base, folder, QUIET, "preceptor study")
    (cell,) = (cell for cell in first.cells if cell.arm == "sft+dpo")
    assert cell.pair_findings is not None
    assert cell.pairs["votes"] + cell.pair_findings.identical + cell.pair_findings.rejected_right == 6
    assert first.human == []

    items = items_to_label(study, base, folder, QUIET, cases=8, held_out=True)
    assert not {item.example_id for item in items} & {item.example_id for item in labelled[0]}
    scores = {"quality": {"a": 4, "b": 3}}
    vote_on(items, folder / "labels" / "held_out.sqlite", ["y", "z"], lambda _: {"choice": "a", "scores": scores})
    second = run_study(study, base, folder, QUIET, "preceptor study")
    quality = next(one for one in second.human if one.scale == "quality")
    assert (quality.a, quality.b, quality.delta, quality.n) == ("sft+dpo", "sft", 1.0, len(items))
    assert [(r.rater, r.also_made_training_pairs) for r in quality.raters] == [("y", True), ("z", False)]
    assert [one.predictions for one in second.cells] == [one.predictions for one in first.cells]


def vote_on(items: list[Item], path: Path, raters: list[str], said: Callable[[Item], dict[str, Any]]) -> None:
    voted(path, items, {rater: [said(item) for item in items] for rater in raters})


def test_texts_are_scored_for_what_is_left_out_and_made_up_too() -> None:
    assert scales_of(load_task("summarization")) == ("quality", "omissions", "fabrications")
    assert scales_of(load_task("triage_urgency")) == ("quality",)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("finished")
    write_table(folder / "cases.csv", patients=100, wrong_every=8)
    return run(folder, tiny_model_folder, folder / "run", arms=["base", "sft"], **LEARNING)


def test_held_out_cases_with_what_two_arms_answered(finished: Run) -> None:
    before = {path: digest_file(path) for path in finished.folder.rglob("*") if path.is_file()}
    items = items_to_label(finished.study, finished.study_file.parent, finished.folder, QUIET, cases=8, held_out=True)
    cells = {cell["arm"]: finished.folder / cell["predictions"]["path"] for cell in finished.results["cells"]}
    said = {arm: {p.id: p.text for p in read_predictions(path.parent)} for arm, path in cells.items()}
    assert 0 < len(items) <= 8
    for item in items:
        a, b = item.answers
        assert (a.source, b.source) == ("sft seed 0", "base seed 0")  # the first primary contrast
        assert (a.text, b.text) == (said["sft"][item.example_id], said["base"][item.example_id])
        assert (item.kind, item.scales) == ("score", ("quality",))
    assert {path: digest_file(path) for path in finished.folder.rglob("*") if path.is_file()} == before


def test_held_out_cases_need_results(tmp_path: Path, tiny_model_folder: Path) -> None:
    with pytest.raises(InputError, match="no held-out answers yet"):
        items_to_label(
            *load_study(str(write_study(tmp_path, tiny_model_folder))), tmp_path / "run", QUIET, held_out=True
        )
    assert not (tmp_path / "run").exists()


def test_held_out_cases_of_other_data_are_refused(finished: Run) -> None:
    table = finished.study_file.parent / "cases.csv"
    kept = table.read_bytes()
    table.write_bytes(kept.replace(b"heart rate", b"pulse"))
    try:
        with pytest.raises(InputError, match="are not those of its results"):
            items_to_label(finished.study, finished.study_file.parent, finished.folder, QUIET, held_out=True)
    finally:
        table.write_bytes(kept)


def test_gold_items_hold_the_case_and_no_answer(tmp_path: Path, tiny_model_folder: Path) -> None:
    file = write_study(tmp_path, tiny_model_folder)
    items = gold_items(tmp_path / "cases.csv", str(file.parent / "urgency.task.yaml"), group="patient", cases=30)
    assert len(items) == 30
    assert {item.kind for item in items} == {"gold"}
    assert all(dict(item.case).keys() == {"note"} and not item.answers for item in items)
    assert items[0].labels == tuple(TASK["answer"]["labels"])
    assert len({item.group for item in items}) > 15
    assert items == gold_items(
        tmp_path / "cases.csv", str(file.parent / "urgency.task.yaml"), group="patient", cases=30
    )
