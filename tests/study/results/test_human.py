"""Raters' scores of held-out answers as an outcome: paired, per rater, of answers that the arms still give."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_stores import voted
from preceptor.engine import Cost
from preceptor.errors import InputError
from preceptor.evidence import Sample, compare, find_metric
from preceptor.preferences import make_item
from preceptor.preferences.labelling import Answer, Item
from preceptor.report.consistency.findings import of_human
from preceptor.report.consistency.judged import of_judged_by_raters
from preceptor.study import Prediction, check_study, make_study
from preceptor.study.cases import Prepared
from preceptor.study.results.cells import Cell
from preceptor.study.results.human import clinician_seconds, human_outcomes, with_human
from preceptor.study.results.human_agreement import human_agreement
from preceptor.study.results.schema import Model, Results, StudyPart
from preceptor.study.results.task_schema import Counts, TaskPart
from preceptor.study.run.folder import RunFolder
from preceptor.tasks import Task
from prepared_study import prepare_tiny

TEXT = {"answer": {"kind": "text", "max_new_tokens": 6}, "metric": "rouge_l", "also": []}
SCALES = ("quality", "omissions")
ARMS = ("sft+dpo", "sft")
PHRASES = {"sft+dpo": "SFT+DPO", "sft": "SFT"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Prepared:
    return prepare_tiny(tmp_path_factory.mktemp("human"), tiny_tokenizer, patients=150, task=TEXT)[1]


def cell(prepared: Prepared, arm: str) -> Cell:
    """Every third answer of the two arms is the same."""
    texts = [f"{'both' if n % 3 == 0 else arm} say {n}" for n in range(len(prepared.splits.test))]
    said = [Prediction(e.id, text, text, 0.5) for e, text in zip(prepared.splits.test, texts, strict=True)]
    return Cell(prepared, "tiny", arm, 0, said, Cost(), 1.0, "p", "0", {})


def items_of(prepared: Prepared, count: int) -> list[Item]:
    texts = [{p.id: p.text for p in cell(prepared, arm).predictions} for arm in ARMS]
    examples = [e for e in prepared.splits.test if texts[0][e.id] != texts[1][e.id]][:count]
    return [
        make_item(
            prepared.task,
            e,
            "score",
            [Answer(said[e.id], f"{arm} seed 0") for arm, said in zip(ARMS, texts, strict=True)],
            SCALES,
        )
        for e in examples
    ]


def vote(choice: str, quality: tuple[int, int], omissions: tuple[int, int]) -> dict[str, Any]:
    scores = {"quality": dict(zip("ab", quality, strict=True)), "omissions": dict(zip("ab", omissions, strict=True))}
    return {"choice": choice, "scores": scores}


def outcomes(folder: Path, prepared: Prepared, items: list[Item], said: dict, votes: Path | None = None):
    run = RunFolder(folder)
    voted(folder / "labels" / "held_out.sqlite", items, said, repeat_share=0)
    found = human_outcomes(run, [cell(prepared, arm) for arm in ("base", *ARMS)], votes, PHRASES)
    for one in found:
        assert list(of_human(one)) == []  # its numbers agree with each other
        assert list(of_judged_by_raters(one, PHRASES)) == []
    return {one.scale: one for one in found}


def test_scores_are_averaged_a_case_and_compared_by_patient(tmp_path: Path, prepared: Prepared) -> None:
    items = items_of(prepared, 6)
    x = [vote("a", (5, 3), (0, 1)), vote("b", (2, 3), (2, 0)), vote("tie", (4, 4), (1, 1))] * 2
    y = [vote("a", (4, 3), (0, 2)), None, vote("both_bad", (1, 2), (3, 3))] * 2
    found = outcomes(tmp_path, prepared, items, {"x": x, "y": y, "lead": [vote("b", (1, 5), (9, 0))] * 6})

    quality = found["quality"]
    a, b = np.array([4.5, 2, 2.5] * 2), np.array([3, 3, 3] * 2)
    groups = np.array([item.group for item in items])
    expected = compare(find_metric("mean_score"), [Sample(groups, scores=a)], [Sample(groups, scores=b)], seed=0)
    assert (quality.a, quality.b, quality.seed) == ("sft+dpo", "sft", 0)
    assert quality.delta == pytest.approx(expected.delta) == pytest.approx(quality.mean_a - quality.mean_b)
    assert (quality.p, quality.ci) == (expected.p, (expected.low, expected.high))
    assert [(r.rater, r.n, r.delta) for r in quality.raters] == [
        ("x", 6, pytest.approx(1 / 3)),
        ("y", 4, 0.0),
    ]
    assert found["preference"].delta == pytest.approx(0.0)
    assert found["preference"].mean_a == 0.5
    assert quality.agreement.items == 8  # two answers of each of four cases
    assert (quality.held_out, quality.outdated) == (len(prepared.splits.test), 0)
    assert quality.differing == sum(n % 3 != 0 for n in range(len(prepared.splits.test)))
    assert quality.descriptive  # six patients tell nothing


def test_fewer_omissions_are_better(tmp_path: Path, prepared: Prepared) -> None:
    items = items_of(prepared, 30)
    said = [vote("a", (4, 3), (n % 2, 2 + n % 3)) for n in range(len(items))]
    found = outcomes(tmp_path, prepared, items, {"x": said})
    assert found["omissions"].delta < 0
    assert not found["omissions"].higher_is_better
    assert (found["omissions"].verdict, found["quality"].verdict) == ("better", "better")
    assert "omissions by raters" in found["omissions"].sentence
    assert all(found[scale].p_adjusted >= found[scale].p for scale in found)


def test_raters_who_made_the_training_pairs_are_marked(tmp_path: Path, prepared: Prepared) -> None:
    items = items_of(prepared, 2)
    pairs = voted(tmp_path / "pairs.sqlite", [replace(item, kind="pair") for item in items], {"x": ["a", None]})
    said = [vote("a", (4, 3), (0, 0))] * 2
    found = outcomes(tmp_path, prepared, items, {"x": said, "z": said}, pairs)
    assert [(r.rater, r.also_made_training_pairs) for r in found["quality"].raters] == [
        ("x", True),
        ("z", False),
    ]


def test_scores_of_answers_that_the_arms_no_longer_give_are_left_out_and_counted(
    tmp_path: Path, prepared: Prepared
) -> None:
    items = items_of(prepared, 3)
    old = replace(items[0], answers=(replace(items[0].answers[0], text="what it said before"), items[0].answers[1]))
    found = outcomes(tmp_path, prepared, [old, *items[1:]], {"x": [vote("a", (4, 3), (0, 0))] * 3})
    assert (found["quality"].n, found["quality"].outdated) == (2, 1)


def test_without_scores_there_is_no_outcome(tmp_path: Path, prepared: Prepared) -> None:
    assert human_outcomes(RunFolder(tmp_path), [cell(prepared, arm) for arm in ARMS], None, PHRASES) == []
    assert outcomes(tmp_path, prepared, items_of(prepared, 2), {"x": [None, None]}) == {}


def test_no_answer_and_no_case_stands_in_the_results(tmp_path: Path, prepared: Prepared) -> None:
    items = items_of(prepared, 3)
    found = str(outcomes(tmp_path, prepared, items, {"x": [{**vote("a", (4, 3), (0, 0)), "note": "SECRET"}] * 3}))
    assert "SECRET" not in found
    assert not any(item.answers[0].text in found or item.case[0][1] in found for item in items)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Prepared:
    return prepare_tiny(tmp_path_factory.mktemp("gold"), tiny_tokenizer, patients=60)[1]


def gold_store(folder: Path, prepared: Prepared, said: dict) -> Path:
    count = len(next(iter(said.values())))
    items = [make_item(prepared.task, e, "gold") for e in prepared.splits.test[:count]]
    return voted(folder / "gold.sqlite", items, said)


def test_two_raters_are_held_against_each_other_both_ways_in_the_tasks_metric(
    tmp_path: Path, labelled: Prepared
) -> None:
    u, r = "urgent", "routine"
    store = gold_store(tmp_path, labelled, {"x": [u, u, r, r, u], "y": [u, r, r, r, None], "lead": [r] * 5})
    found = human_agreement(store, labelled)
    assert found is not None
    # Of eight ordered pairs: urgent 1 + 1 alike, 1 + 1 not; routine 2 + 2 alike. F1 of urgent 4/6, of routine 8/10.
    assert found.value == pytest.approx((4 / 6 + 8 / 10) / 2)
    assert (found.metric, found.items, found.raters) == ("macro_f1", 4, 2)
    assert found.agreement.raw.value == pytest.approx(0.75)


def test_texts_of_two_raters_are_scored_as_a_models_are(tmp_path: Path, prepared: Prepared) -> None:
    found = human_agreement(gold_store(tmp_path, prepared, {"x": ["a b c", "d"], "y": ["a b c", "e"]}), prepared)
    assert found is not None
    assert (found.value, found.agreement) == (0.5, None)


def test_sets_of_two_raters_are_held_against_each_other(tmp_path: Path, labelled: Prepared) -> None:
    """A text that lists no label is nobody's gold; LEADER trap 12: both empty = 1."""
    answer = {"kind": "labels", "labels": {"a": "", "b": ""}, "empty": "none", "max_new_tokens": 9}
    task = Task.model_validate(labelled.task.model_dump() | {"answer": answer, "metric": "jaccard", "also": []})
    several = replace(labelled, task=task)
    store = gold_store(tmp_path, several, {"x": ["a; b", "none", "a"], "y": ["b", "none", "no idea"]})
    found = human_agreement(store, several)
    assert found is not None
    assert (found.value, found.items) == ((1 / 2 + 1) / 2, 2)


def test_one_rater_agrees_with_nobody(tmp_path: Path, labelled: Prepared) -> None:
    assert human_agreement(gold_store(tmp_path, labelled, {"x": ["urgent"]}), labelled) is None


def test_results_hold_both(tmp_path: Path, labelled: Prepared) -> None:
    store = gold_store(tmp_path, labelled, {"x": ["urgent"] * 3, "y": ["urgent", "routine", "urgent"]})
    both = with_human(
        _results("urgency", "other"), RunFolder(tmp_path), [labelled], [], gold={"urgency": store}, votes=None
    )
    assert both.human == []
    assert both.clinician_seconds == {"gold": 0.0}
    assert [bool(task.human_agreement) for task in both.study.tasks] == [True, False]


def _results(*tasks: str) -> Results:
    """Results of these tasks, without a cell."""
    counts = Counts(train=0, validation=0, test=0, groups_test=0)
    parts = [TaskPart(name=task, title=task, metric="macro_f1", counts=counts) for task in tasks]
    study = StudyPart(name="s", question="", model=Model(name="m", title="M"), seeds=[0], arms=["base"], tasks=parts)
    return Results(study=study, versions={}, created="", command="", cells=[], contrasts=[])


def test_the_time_clinicians_took_is_told_by_what_they_did(tmp_path: Path, prepared: Prepared) -> None:
    items = items_of(prepared, 3)
    timed = [vote("a", (5, 3), (0, 1)) | {"seconds": seconds} for seconds in (60.0, 30.0, 4000.0)]
    run = RunFolder(tmp_path)
    assert clinician_seconds(run, gold=[], votes=None) == {}
    voted(tmp_path / "labels" / "held_out.sqlite", items, {"x": timed, "lead": [timed[0], None, None]}, repeat_share=0)
    votes = voted(tmp_path / "pairs.sqlite", items, {"x": [timed[0], None, None]}, repeat_share=0)
    # A page that stayed open over lunch counts as a quarter of an hour.
    assert clinician_seconds(run, gold=[], votes=votes) == {"pairs": 60.0, "held_out": 60.0 + 30.0 + 900.0 + 60.0}


def test_a_missing_store_of_gold_labels_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    from rich.console import Console

    entry = {"task": "triage_urgency", "data": {"cases": 40}, "gold": "none.sqlite"}
    with pytest.raises(InputError, match=r"none\.sqlite: there is no store of gold labels"):
        check_study(make_study({"name": "s", "tasks": [entry]}, "s"), tmp_path, Console(quiet=True))
