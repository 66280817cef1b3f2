"""A study that compares makers of pairs: each further one is an arm, and every pair is counted."""

import csv
import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from torch import nn

from preceptor.engine import Numerics
from preceptor.errors import InputError
from preceptor.files import read_jsonl
from preceptor.models import ModelSource
from preceptor.preferences import Pair, explanations, makers
from preceptor.progress import quiet
from preceptor.report import read_run
from preceptor.study import Study, make_study
from preceptor.study.plan.forecast import stage_work
from preceptor.study.predictions.answering import arms_for, why_left_out
from preceptor.study.run.folder import RunFolder
from preceptor.study.stage_tree.stage_context import Context
from preceptor.study.stages import dpo
from preceptor.study.stages import pairs as pairs_stage
from preceptor.study.stages._pair_cases import pair_cases, split_pairs
from preceptor.study.stages._pair_files import PAIRS, write_pairs
from prepared_study import prepare_tiny
from study_runs import Run, run
from tiny_study import write_table

MAKERS = ["published", "hardest_label"]
FURTHER = "sft+dpo@hardest_label"
PLAIN: dict[str, Any] = {"name": "one", "tasks": [{"task": "triage_provider", "data": {"cases": 30}}]}
SHORT: dict[str, Any] = {
    "arms": ["base", "sft", "sft+dpo", "sft+sft"],
    "sft": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01},
    "dpo": {"epochs": 1, "batch_size": 4, "learning_rate": 0.001},
    "pairs": {"limit": 12},
}


def maker_of(study: Study, arm: str) -> str | None:
    """Who makes the pairs that an arm rests on."""
    last = study.stage_of(arm)
    return next((stage.source for stage in last.required if stage.source), None) if last else None


def write_with_rejected(folder: Path) -> dict[str, Any]:
    """The tiny table with what a trainee said, who is wrong on every third case; the task's entry that reads it."""
    whole = write_table(folder / "cases.csv")
    with whole.open(newline="") as file:
        rows = list(csv.DictReader(file))
    other = {"urgent": "routine", "routine": "urgent"}
    for n, row in enumerate(rows):
        row["trainee"] = other[row["urgency"]] if n % 3 == 0 else row["urgency"]
    with whole.open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(rows)
    data = {"path": "cases.csv", "target": "urgency", "group": "patient", "rejected": "trainee"}
    return {"task": "urgency.task.yaml", "data": data}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("makers")
    entry = write_with_rejected(folder)
    return run(folder, tiny_model_folder, folder / "run", tasks=[entry], makers=MAKERS, **SHORT)


def cell(done: Run, arm: str) -> dict[str, Any]:
    (found,) = (one for one in done.results["cells"] if one["arm"] == arm)
    return dict(found)


def pairs_of(done: Run) -> dict[str, list[dict[str, Any]]]:
    """Maker -> the rows that its stage kept."""
    kept = [list(read_jsonl(file)) for file in done.folder.glob("stages/*/pairs.jsonl")]
    return {rows[0]["origin"]: rows for rows in kept}


def test_its_results_are_believed(finished: Run) -> None:
    assert read_run(finished.folder).results.study.makers == MAKERS


def test_each_further_maker_is_an_arm_and_all_share_one_sft(finished: Run) -> None:
    assert finished.results["study"]["arms"] == ["base", "sft", "sft+dpo", FURTHER, "sft+sft"]
    assert {kind: len(keys) for kind, keys in finished.stages().items()} == {"sft": 2, "pairs": 2, "dpo": 2}
    assert set(cell(finished, "sft+dpo")["pairs"]) == {"published", "without_pair", "too_long"}
    assert set(cell(finished, FURTHER)["pairs"]) == {"hardest_label", "without_pair", "too_long"}
    assert finished.results["design"]["primary"] == [["sft+dpo", "sft"], ["sft+dpo", "sft+sft"]]
    assert {"sft+dpo", FURTHER} <= set(json.loads((finished.folder / "design.json").read_text())["design"]["arms"])


def test_a_further_maker_is_compared_with_the_first_and_with_sft(finished: Run) -> None:
    found = {(one["a"], one["b"]): one for one in finished.results["contrasts"]}
    assert {pair for pair in found if FURTHER in pair} == {(FURTHER, "sft+dpo"), (FURTHER, "sft")}
    assert {found[pair]["family"] for pair in found if FURTHER in pair} == {"secondary"}
    assert "SFT+DPO (hardest label)" in found[FURTHER, "sft+dpo"]["sentence"]


def test_pairs_are_of_the_makers_own_kind_counted_and_looked_at(finished: Run) -> None:
    published, hardest = (pairs_of(finished)[maker] for maker in MAKERS)
    with (finished.study_file.parent / "cases.csv").open(newline="") as file:
        rows = {str(n): row for n, row in enumerate(csv.DictReader(file), 2)}  # ids are lines
    for pair in published:
        row = rows[pair["id"]]
        assert (pair["chosen"], pair["rejected"]) == (row["urgency"], row["trainee"])
        assert row["urgency"] != row["trainee"]
    assert all(pair["chosen"] != pair["rejected"] for pair in hardest)
    train = finished.results["study"]["tasks"][0]["counts"]["train"]
    for arm, kept in (("sft+dpo", published), (FURTHER, hardest)):
        findings = cell(finished, arm)["pair_findings"]
        trained_on = [pair for pair in kept if pair["part"] == "train"]
        assert len(trained_on) == findings["pairs"] == sum(findings["makers"].values()) <= 12
        assert 0 <= findings["ordered_rightly"] <= 1
        assert findings["identical"] == findings["rejected_right"] == 0
        assert findings["longer_chosen"] == pytest.approx(
            sum(len(p["chosen"]) > len(p["rejected"]) for p in trained_on) / len(trained_on)
        )
    bring = sum(row["urgency"] != row["trainee"] for row in rows.values())
    assert cell(finished, "sft+dpo")["pairs"]["without_pair"] >= train - bring
    assert cell(finished, FURTHER)["pairs"]["without_pair"] == 0
    assert cell(finished, "sft")["pair_findings"] is None


def test_a_study_goes_on_with_a_maker_more_and_trains_nothing_twice(finished: Run) -> None:
    before = finished.stages()
    entry = yaml.safe_load(finished.study_file.read_text())["tasks"][0]
    again = finished.again(tasks=[entry], makers=MAKERS, **SHORT)
    assert again.stages() == before
    alone = finished.again(tasks=[entry], makers=["hardest_label"], **{**SHORT, "arms": ["sft", "sft+dpo"]})
    assert alone.stages() == before, "the same pairs, whichever place the maker has"


def test_what_each_maker_is_asked_of(tmp_path: Path, tiny_tokenizer: Any) -> None:
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, makers=["hardest_label", "near_miss"])
    assert arms_for(study, prepared) == ["base", "sft", "sft+dpo"]
    assert why_left_out(study, prepared, "sft+dpo@near_miss") == (
        "its pairs come from near_miss: it changes a fact in a text, and the answers are labels"
    )
    assert pair_cases(prepared, 5, 0, "votes").trained_on == len(prepared.train)
    none = pair_cases(prepared, 5, 0, "published")
    assert (none.trained_on, none.passed_over) == (0, len(prepared.train))


NEW = """
from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, supports_all

explanation = "the right answer written backwards"
settings = ("temperature",)
unsupported_reason = supports_all


def expected_work(task, example, samples):
    return PairWork(samples=samples)


def make(request):
    return MadePairs([Pair(e.id, e.target, e.target[::-1], "backwards") for e in request.examples])
"""


def test_a_new_maker_is_one_file(tmp_path: Path, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "backwards.py").write_text(NEW)
    monkeypatch.setattr(makers, "__path__", [*makers.__path__, str(tmp_path / "more")])
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, makers=["backwards"])
    assert maker_of(study, "sft+dpo") == "backwards"
    assert why_left_out(study, prepared, "sft+dpo") is None
    last = study.stage_of("sft+dpo")
    assert last is not None
    assert last.after is not None
    work = stage_work(study, prepared, last.after, nn.Linear(1, 1), Path(), shares=True)
    assert sum(unit.repeats * unit.tokens for unit in work if unit.kind == "write") > 0
    context = Context(
        study, last.after, pairs_stage.Settings(limit=5), (prepared,), cast("ModelSource", None), Numerics(), 0,
        RunFolder(tmp_path), tmp_path, (), None, lambda what, total: nullcontext(quiet),
    )  # fmt: skip
    monkeypatch.setattr(Context, "policy", lambda self: None)
    inputs = pairs_stage.inputs(context)
    assert {name: inputs[name] for name in inputs if name != "task"} == {"maker": "backwards", "temperature": 1.0}
    assert pairs_stage.run(context, pairs_stage.data(context)).notes["pairs"] == {"backwards": 5}
    assert explanations(study.makers) == {"backwards": "the right answer written backwards"}
    further = make_study({**PLAIN, "makers": ["near_miss", "backwards"]}, "here").arm("sft+dpo@backwards")
    assert (further.title, further.source) == ("SFT+DPO (backwards)", "backwards")


def test_votes_are_split_by_patient_where_there_are_enough(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    group = {example.id: example.group for example in prepared.splits.train}
    pairs = [Pair(example.id, "a", "b", "votes") for example in prepared.splits.train]
    train, validation = split_pairs(pairs, prepared, "votes", 0)
    assert sorted([*train, *validation], key=pairs.index) == pairs
    assert not {group[p.example_id] for p in train} & {group[p.example_id] for p in validation}
    assert 0.1 <= len(validation) / len(pairs) < 0.15
    assert split_pairs(pairs, prepared, "votes", 1) != (train, validation)
    assert split_pairs(pairs[:19], prepared, "votes", 0) == (pairs[:19], [])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"makers": ["published"], "arms": ["base", "sft"]}, "no arm has a stage that learns from pairs"),
        ({"makers": ["judge"]}, "judge needs to know its server"),
        ({"makers": ["votes"]}, "votes needs to know its store"),
        ({"makers": ["published", "published"]}, "name each only once"),
        ({"arms": ["sft", "sft+dpo", "sft+dpo@votes"]}, "name it in `makers` behind the first"),
        ({"makers": ["guessed"]}, "there is no maker guessed; choose from: hardest_label, judge"),
        ({"makers": ["judge"], "judge": {"url": "http://gpu7.example/v1", "model": "m"}}, "allow_host: gpu7.example"),
        ({"pairs": {"samples": 1}}, "greater than or equal to 2"),
    ],
)
def test_makers_without_what_they_need_are_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        make_study({**PLAIN, **settings}, "here")
    assert told in str(caught.value)


def test_a_resolved_study_is_a_study_again() -> None:
    study = make_study({**PLAIN, "makers": ["near_miss", "on_policy"], "arms": SHORT["arms"]}, "here")
    assert study.arms == ("base", "sft", "sft+dpo", "sft+dpo@on_policy", "sft+sft")
    assert make_study(study.model_dump(mode="json"), "here") == study
    assert [maker_of(study, arm) for arm in ("sft+dpo", "sft+sft", "sft+dpo@on_policy")] == [
        "near_miss", "near_miss", "on_policy",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"makers": ["published"]}, "makers: published can make pairs for no task"),
        ({"makers": ["votes"], "votes": "labels/pairs.sqlite"}, "there is no store of votes here"),
        ({"makers": ["judge"], "judge": {"url": "http://127.0.0.1:9/v1", "model": "m"}}, "no server answers"),
    ],
)
def test_a_maker_with_nothing_to_work_with_is_found_before_training(
    tmp_path: Path, tiny_model_folder: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError) as caught:
        run(tmp_path, tiny_model_folder, tmp_path / "run", **SHORT, **changes)
    assert told in str(caught.value)
    assert not (tmp_path / "run" / "stages").exists()


@pytest.mark.parametrize(
    ("pairs", "what", "fix"),
    [
        (0, "the maker made no usable pair of any training case", "Name another maker in `makers`, give rejected"),
        (2, "no training case gave a pair of answers that fits", "Raise `max_length`, give rejected"),
    ],
)
def test_why_there_is_no_pair_to_train_on(
    tmp_path: Path, tiny_source: Any, tiny_tokenizer: Any, pairs: int, what: str, fix: str
) -> None:
    study, prepared = prepare_tiny(tmp_path, tiny_tokenizer, makers=["published"])
    made = [Pair(one.id, one.target, "urgent " * 2000, "published") for one in prepared.splits.train[:pairs]]
    write_pairs(tmp_path / PAIRS, made, [])
    parents, stage = [SimpleNamespace(folder=tmp_path)], study.stage_of("sft+dpo")
    context: Any = SimpleNamespace(source=tiny_source, study=study, task=prepared, parents=parents, stage=stage)
    with pytest.raises(InputError) as refused:
        dpo.data(context)
    (problem,) = refused.value.problems
    assert problem.where == "task urgency, maker published"
    assert problem.what == f"{what}, so there is nothing to prefer"
    assert problem.fix.startswith(fix)
    assert problem.fix.endswith("leave sft+dpo out of `arms`.")
