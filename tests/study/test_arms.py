"""A whole study with every arm that needs no server: what each costs, shares and leaves behind, and what is refused."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from preceptor.errors import InputError
from preceptor.study import check_results_current, load_study, run_study
from preceptor.study.run.test_set_ledger import ledger_file
from study_runs import Run, run
from tiny_study import TASK

ARMS = ["base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf"]
SHORT: dict[str, Any] = {
    "arms": ARMS,
    "seeds": [0, 1],
    "sft": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01},
    "dpo": {"epochs": 1, "batch_size": 4, "learning_rate": 0.001},
    "pairs": {"limit": 12},
}


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("arms")
    return run(folder, tiny_model_folder, folder / "run", **SHORT)


@pytest.fixture
def finished(finished_once: Run, tmp_path: Path) -> Run:
    """A copy that a test may change."""
    folder = Path(shutil.copytree(finished_once.study_file.parent, tmp_path / "study"))
    return replace(finished_once, study_file=folder / "study.yaml", folder=folder / "run")


def cells(done: Run, arm: str) -> list[dict[str, Any]]:
    return [cell for cell in done.results["cells"] if cell["arm"] == arm]


def said(done: Run) -> str:
    """What the same command says when it is given again."""
    study, base = load_study(str(done.study_file))
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    run_study(study, base, done.folder, console, command="preceptor study")
    return console.export_text()


def test_every_arm_answers_every_case_with_every_seed(finished_once: Run) -> None:
    assert [(cell["arm"], cell["seed"]) for cell in finished_once.results["cells"]] == [
        (arm, seed) for seed in (0, 1) for arm in ARMS
    ]
    assert len({cell["n"] for cell in finished_once.results["cells"]}) == 1
    assert all(cell["invalid_rate"] == 0 for arm in ("base+shots", "tfidf") for cell in cells(finished_once, arm))
    assert cells(finished_once, "tfidf")[0]["value"] > 0.9


def test_more_sft_costs_what_dpo_cost_up_to_a_step_beside_the_looks_of_both(finished_once: Run) -> None:
    for sft, dpo, more in zip(*(cells(finished_once, arm) for arm in ("sft", "sft+dpo", "sft+sft")), strict=True):
        price, control = (training_flops(one) - training_flops(sft) for one in (dpo, more))
        steps = more["cost"]["optimizer_steps"] - sft["cost"]["optimizer_steps"]
        assert 1 <= control / price < 1 + 1.5 / steps
        assert more["cost"]["optimizer_steps"] == len(more["curves"]["sft"]["loss"])
    stages = {one["kind"]: one for one in ledgers(finished_once)}
    assert set(stages) == {"sft", "pairs", "dpo"}
    assert len([one for one in ledgers(finished_once) if one["kind"] == "sft"]) == 4


def training_flops(cell: dict[str, Any]) -> float:
    return float(cell["cost"]["flops"] - cell["cost"]["evaluation_flops"])


def ledgers(done: Run) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in done.folder.glob("stages/*/ledger.json")]


def test_arms_without_training_cost_no_training(finished_once: Run) -> None:
    for arm in ("base", "base+shots", "tfidf"):
        cost = cells(finished_once, arm)[0]["cost"]
        assert (cost["flops"], cost["optimizer_steps"], cost["tokens_seen"]) == (0, 0, 0)
    assert cells(finished_once, "tfidf")[0]["cost"]["seconds"] > 0
    assert cells(finished_once, "base+shots")[0]["cost"]["seconds"] == 0


def test_curves_are_told_by_step_for_each_kind_of_training(finished_once: Run) -> None:
    assert cells(finished_once, "base")[0]["curves"] == cells(finished_once, "tfidf")[0]["curves"] == {}
    sft, dpo = cells(finished_once, "sft")[0]["curves"], cells(finished_once, "sft+dpo")[0]["curves"]
    assert set(sft) == {"sft"}
    assert dpo["sft"] == sft["sft"]
    assert set(dpo["dpo"]) == {"loss", "eval_loss", "rewards/margins", "rewards/accuracies"}
    assert [step for step, _ in dpo["dpo"]["loss"]] == [1, 2, 3]
    more = cells(finished_once, "sft+sft")[0]["curves"]["sft"]
    steps = [step for step, _ in more["loss"]]
    assert steps == list(range(1, len(steps) + 1))
    assert more["loss"][: len(sft["sft"]["loss"])] == sft["sft"]["loss"]


def test_results_say_what_was_fixed_and_which_look_it_was(finished_once: Run) -> None:
    results = finished_once.results
    (task,) = results["study"]["tasks"]
    assert (results["exploratory"], task["looks"], task["margin"], task["leakage"]) == (False, 1, None, [])
    assert task["dangerous"] == ["urgent"]
    assert results["design"]["primary"] == [["sft+dpo", "sft"], ["sft+dpo", "sft+sft"]]
    assert results["design"]["sha256"] == json.loads((finished_once.folder / "design.json").read_text())["sha256"]
    primary = [(one["a"], one["b"]) for one in results["contrasts"] if one["family"] == "primary"]
    assert [list(pair) for pair in primary] == results["design"]["primary"]
    assert task["shots"] == {seed: {"4": task["counts"]["test"]} for seed in ("0", "1")}
    assert len(results["conclusions"]) == 1


def test_a_finished_study_says_so_and_measures_nothing(finished: Run) -> None:
    told = said(finished)
    assert "Everything was trained and answered already" in told
    assert "Measuring" not in told
    assert "takes about" not in told


def test_what_is_left_alone_is_measured(finished: Run) -> None:
    shutil.rmtree(finished.folder / "cells/urgency/tiny/tfidf")
    assert "What is left of the study takes about 1 minute" in said(finished)


@pytest.mark.slow
def test_other_predictions_on_the_same_cases_are_a_second_look_and_exploratory(finished: Run) -> None:
    ledger_file().write_text("")
    assert said(finished)
    assert finished.again(**SHORT).results["exploratory"] is False
    renamed = finished.again(**{**SHORT, "name": "renamed", "max_length": 300}).results
    assert (renamed["exploratory"], renamed["study"]["tasks"][0]["looks"]) == (False, 1), "the same predictions"
    other = finished.again(**{**SHORT, "sft": {**SHORT["sft"], "learning_rate": 1e-9}}).results
    sft, base = (next(cell for cell in other["cells"] if cell["arm"] == arm) for arm in ("sft", "base"))
    assert sft["confusion"] == base["confusion"], "it learned nothing, and so answers otherwise than before"
    assert (other["exploratory"], other["study"]["tasks"][0]["looks"]) == (True, 2)
    assert not other["design"]["changed"]


def test_another_design_after_predictions_is_exploratory(finished: Run) -> None:
    other = finished.again(**{**SHORT, "primary": [["sft", "base"]]}).results
    assert other["exploratory"]
    assert other["design"]["changed"]
    assert (finished.folder / "design-2.json").is_file()


class Killed(BaseException):
    """Stands for a kill while something is under way."""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["SFT continued", "held-out answers of base+shots", "held-out answers of tfidf"])
def test_a_run_that_was_stopped_in_a_control_ends_with_the_same_answers(
    finished_once: Run, tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from preceptor.study import runner

    @contextmanager
    def progress(name: str, total: int, console: Console) -> Iterator[Any]:
        def advance(units: int = 1, /) -> None:
            if name.endswith(what) and units:
                raise Killed

        yield advance

    one_seed = SHORT | {"seeds": [0]}
    with monkeypatch.context() as patch:
        patch.setattr(runner, "progress", progress)
        with pytest.raises(Killed):
            run(tmp_path, tiny_model_folder, tmp_path / "run", **one_seed)
    resumed = run(tmp_path, tiny_model_folder, tmp_path / "run", **one_seed)
    for arm in ARMS:
        (same,), cell = cells(resumed, arm), cells(finished_once, arm)[0]
        assert same["predictions"]["sha256"] == cell["predictions"]["sha256"]
        assert same["cost"]["flops"] == cell["cost"]["flops"]


def test_word_counts_are_left_out_for_text_and_said_so(tmp_path: Path, tiny_model_folder: Path) -> None:
    text = {"answer": {"kind": "text", "max_new_tokens": 4}, "metric": "rouge_l", "also": []}
    done = run(tmp_path, tiny_model_folder, tmp_path / "run", task=text, arms=["base", "base+shots", "tfidf"])
    assert [cell["arm"] for cell in done.results["cells"]] == ["base", "base+shots"]
    assert said(done).count("The arm tfidf is left out for urgency: it gives labels only.") == 1


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("stages/*/ledger.json", "{"),
        ("stages/*/ledger.json", '{"kind": "sft"}'),
        ("stages/*/ledger.json", '{"kind": "sft", "cost": {"seconds": "long"}}'),
        ("stages/*/pairs.jsonl", '{"id": "2"}\n'),
        ("stages/*/pairs.jsonl", None),
        ("cells/*/*/sft/seed-0/cell.json", "[]"),
        ("cells/*/*/tfidf/seed-0/cell.json", ""),
        ("cells/*/*/sft/seed-0/predictions.jsonl", '{"id": "2"}\n'),
        ("cells/*/*/sft/seed-0/predictions.jsonl", None),
    ],
)
def test_a_damaged_file_of_an_earlier_run_costs_what_rests_on_it_and_is_named_with_what_to_delete(
    finished: Run, file: str, damage: str | None
) -> None:
    for path in finished.folder.glob(file):
        path.write_text(damage) if damage is not None else path.unlink()
        folder = path.parent
        if "ledger" not in file:
            break
    done = finished.again(**SHORT)
    assert done.results["failed"]
    assert len(cells(done, "base")) == 2
    while lost := done.results["failed"]:  # behind one that is damaged, another may be
        named = {one["fix"].removeprefix("Delete the folder ").partition(";")[0] for one in lost}
        assert all((finished.folder.parent / one).parent == folder.parent for one in named)
        assert all(any(f"{one}/{Path(file).name}: it " in each["reason"] for one in named) for each in lost)
        for one in named:
            shutil.rmtree(finished.folder.parent / one)
        done = finished.again(**SHORT)


def test_a_damaged_part_of_answers_is_named(finished: Run) -> None:
    folder = finished.folder / "cells/urgency/tiny/sft/seed-0"
    key = json.loads((folder / "cell.json").read_text())["key"]
    shutil.rmtree(folder)
    folder.mkdir()
    part = folder / "predictions.part.jsonl"
    part.write_text(json.dumps({"key": key}) + '\n{"seconds": 1}\n')
    (failed,) = finished.again(**SHORT).results["failed"]
    assert (failed["arm"], failed["seed"], failed["stage"]) == ("sft", 0, "answers")
    assert "predictions.part.jsonl: it was kept by an earlier run and is damaged" in failed["reason"]
    shutil.rmtree(folder)
    assert cells(finished.again(**SHORT), "sft")[0]["value"] == cells(finished, "sft")[0]["value"]


def test_results_older_than_the_study_a_task_or_the_data_are_refused(finished: Run) -> None:
    check_results_current(finished.folder)
    task = finished.folder / "tasks" / "urgency.yaml"
    asked = task.read_text()
    task.write_text(asked + "# changed\n")
    with pytest.raises(InputError, match=r"the results are older than tasks/urgency\.yaml, which changed since"):
        check_results_current(finished.folder)
    task.write_text(asked)
    check_results_current(finished.folder)
    (finished.folder / "results.json").unlink()
    with pytest.raises(InputError, match="has not ended yet, or was changed since it did"):
        check_results_current(finished.folder)


def test_a_changed_task_forgets_the_results_before_anything_is_trained(
    finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from preceptor.study import runner

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "cells_of", stopped)
    changed = yaml.safe_dump({**TASK, "title": "Another title"}, sort_keys=False)
    (finished.study_file.parent / "urgency.task.yaml").write_text(changed)
    study, base = load_study(str(finished.study_file))
    with pytest.raises(KeyboardInterrupt):
        run_study(study, base, finished.folder, Console(quiet=True), command="preceptor study")
    assert not (finished.folder / "results.json").exists()
