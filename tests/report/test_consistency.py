"""Results that were changed by hand are refused with the place; results that a study wrote never are."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from preceptor.errors import InputError
from preceptor.files import write_json
from preceptor.report import read_run, write_comparison, write_report
from preceptor.tasks import builtin_tasks
from run_folders import EARLIER, synthetic_run
from study_runs import run

Edit = Callable[[dict[str, Any]], object]


def edited(folder: Path, edit: Edit) -> Path:
    results = json.loads((folder / "results.json").read_text())
    edit(results)
    write_json(folder / "results.json", results)
    return folder


def put(*place: Any, to: Any) -> Edit:
    """Another value at a place; a number's is what it was and `to` more where `to` is a tuple of one."""

    def edit(entry: Any) -> None:
        for step in place[:-1]:
            entry = entry[step]
        entry[place[-1]] = entry[place[-1]] + to[0] if isinstance(to, tuple) else to

    return edit


def contrast(a: str, b: str, **values: Any) -> Edit:
    return lambda results: next(one for one in results["contrasts"] if (one["a"], one["b"]) == (a, b)).update(values)


def failure(**values: Any) -> Edit:
    """The first cell, or another, said to have failed too."""

    def edit(results: dict[str, Any]) -> None:
        cell = {name: results["cells"][0][name] for name in ("task", "model", "arm", "seed")}
        results["failed"].append(cell | {"stage": "SFT", "reason": "why", "fix": "how"} | values)

    return edit


def moved(counts: dict[str, int]) -> dict[str, int]:
    """A case that both had right, said to be one that only b had."""
    return counts | {"both_right": counts["both_right"] - 1, "only_b": counts["only_b"] + 1}


def wider(results: dict[str, Any]) -> None:
    """An interval that allows the same verdict."""
    found = next(one for one in results["contrasts"] if one["verdict"] == "inconclusive" and not one["descriptive"])
    found["ci"] = [found["ci"][0] - 0.02, found["ci"][1] + 0.02]


def adjusted_for_less(results: dict[str, Any]) -> None:
    found = max(results["contrasts"], key=lambda one: one["p_adjusted"] - one["p"])
    found["p_adjusted"] = (found["p"] + found["p_adjusted"]) / 2


def primary_taken_out(results: dict[str, Any]) -> None:
    del results["contrasts"][0], results["design"]["primary"][0]


def needed_by_the_settled(results: dict[str, Any]) -> None:
    next(one for one in results["contrasts"] if one["verdict"] == "better")["needed"] = 400


SCORED = {"tau": 1.0, "probabilities_tau": 0.0, "without_marker": None, "form": None}
"""How the labels of a cell were scored."""

WRONG: dict[str, tuple[Edit, str]] = {
    "a value that its matrix does not give": (put("cells", 0, "value", to=(0.02,)), "cells.0.value"),
    "a value beyond its range": (put("cells", 0, "value", to=1.5), "cells.0.value"),
    "another metric beside it": (put("cells", 0, "also", "accuracy", to=0.987), "cells.0.also.accuracy"),
    "a sensitivity": (put("cells", 0, "also", "sensitivity", to=0.987), "cells.0.also.sensitivity"),
    "an interval upside down": (put("cells", 0, "ci", to=[0.9, 0.1]), "cells.0.ci"),
    "half an interval": (put("cells", 0, "ci", to=[0.9, None]), "cells.0.ci"),
    "a count": (put("cells", 0, "n", to=(1,)), "cells.0.n"),
    "patients": (put("cells", 0, "patients", to=(-1,)), "cells.0.patients"),
    "a confusion matrix": (put("cells", 0, "confusion", "matrix", 0, 1, to=(1,)), "cells.0.confusion.matrix"),
    "a share": (put("cells", 2, "invalid_rate", to=0.5), "cells.2.invalid_rate"),
    "a cost": (put("cells", 0, "cost", "seconds", to=-1.0), "cells.0.cost.seconds"),
    "another metric": (put("cells", 0, "metric", to="accuracy"), "cells.0.metric"),
    "a label never given": (put("cells", 2, "never_predicted", to=["urgent"]), "cells.2.never_predicted"),
    "an arm left out": (
        lambda results: results.update(cells=[one for one in results["cells"] if one["arm"] != "base"]), "contrasts.",
    ),
    "an arm twice": (lambda results: results["cells"].append(results["cells"][0]), "cells.12: this arm"),
    "a difference": (put("contrasts", 0, "delta", to=(0.05,)), "contrasts.0.delta"),
    "a difference of one seed": (put("contrasts", 0, "seeds", 0, "delta", to=(0.05,)), "contrasts.0.seeds.0.delta"),
    "a difference from the majority": (
        put("study", "tasks", 0, "majority", to=0.123), "delta: it is not the difference of the values",
    ),
    "p": (put("contrasts", 0, "p", to=1.2), "contrasts.0.p"),
    "p adjusted": (contrast("sft", "base", p=0.02, p_adjusted=0.001), "p_adjusted: it is smaller"),
    "the narrow interval": (contrast("sft", "base", ci_90=[-0.9, 0.9]), "ci_90: it does not lie inside"),
    "cases of a paired table": (put("contrasts", 0, "counts", "neither", to=(1,)), "contrasts.0.counts"),
    "a paired table": (
        lambda results: results["contrasts"][0].update(counts=moved(results["contrasts"][0]["counts"])),
        "contrasts.0.counts: arm a was right",
    ),
    "a verdict": (contrast("sft", "base", verdict="equivalent"), "verdict: better follows"),
    "a better verdict": (contrast("sft", "tfidf", p_adjusted=0.6, p=0.5, verdict="better"), "verdict: better does not"),
    "a verdict on what is described": (contrast("sft", "base", descriptive="few"), "verdict: it is only described"),
    "a sensitivity of a contrast": (
        put("contrasts", 0, "dangerous", "sensitivity", "a", to=0.123), "contrasts.0.dangerous.sensitivity: it does",
    ),
    "a task": (put("contrasts", 0, "task", to="other"), "contrasts.0.task"),
    "a conclusion's task": (put("conclusions", 0, "task", to="other"), "conclusions.0.task"),
    "advice that a conclusion does not allow": (
        lambda results: results["conclusions"][0].update(conclusion="descriptive", recommendation="pilot silently"),
        "conclusions.0.recommendation: it does not follow from descriptive",
    ),
    "advice after harm": (
        lambda results: results["conclusions"][0].update(conclusion="dpo_harms", recommendation="more cases"),
        "conclusions.0.recommendation: it does not follow from dpo_harms",
    ),
    "a failure with a result": (failure(), "failed.0: this arm of this task has a result with this seed"),
    "a failure of another seed": (failure(seed=7), "failed.0.seed: the study has no such seed"),
    "a failure twice": (
        lambda results: [failure(seed=7)(results) for _ in range(2)], "failed.1: this arm of this task stands there tw",
    ),
    "scores of what could not be read": (put("cells", 0, "label_scoring", to=SCORED), "cells.0.label_scoring.tau"),
    "probabilities at another tau": (
        put("cells", 2, "label_scoring", to=SCORED | {"probabilities_tau": 0.5}),
        "cells.2.label_scoring.probabilities_tau",
    ),
    "a form": (
        put("cells", 2, "label_scoring", to=SCORED | {"form": {"cases": 4, "readable": 0.5, "agreement": 0.75}}),
        "cells.2.label_scoring.form",
    ),
    "a sentence": (
        lambda results: results["contrasts"][0].update(sentence="SFT+DPO cures."), "contrasts.0.sentence: it does not",
    ),
    "an interval and its verdict": (
        contrast("sft+dpo", "sft+sft", ci=[0.01, 0.3], ci_90=[0.02, 0.2], p_adjusted=0.01, p=0.01, verdict="better"),
        "p_adjusted: it is not what",
    ),
    "an interval": (wider, "sentence: it does not say what the numbers"),
    "a p adjusted for less": (adjusted_for_less, "p_adjusted: it is not what the p of all contrasts give"),
    "a margin of a contrast": (put("contrasts", 0, "margin", to=0.5), "contrasts.0.margin"),
    "a margin": (put("study", "tasks", 0, "margin", to=0.5), "study.tasks.0.margin: it is not the margin that"),
    "a primary contrast taken out": (
        lambda results: results["contrasts"].pop(0), "contrasts: that of sft+dpo with sft on urgency, a pri",
    ),
    "a primary contrast taken out of the design too": (primary_taken_out, "design.primary: these are not"),
    "a family": (put("contrasts", 0, "family", to="secondary"), "contrasts.0.family"),
    "a need of patients": (needed_by_the_settled, "needed: nothing stayed open"),
    "no conclusions": (put("conclusions", to=[]), "conclusions: that of urgency is missing"),
    "a conclusion's sentence": (put("conclusions", 0, "sentence", to="Deploy it."), "conclusions.0.sentence"),
    "another conclusion": (put("conclusions", 0, "reason", to="because"), "conclusions.0.reason"),
    "a warning taken out": (put("conclusions", 0, "warnings", to=[]), "conclusions.0.warnings"),
    "what could have been seen": (put("could_have_seen", 0, "sentence", to="Yes."), "could_have_seen.0.sentence"),
    "nothing of what could have been seen": (put("could_have_seen", to=[]), "could_have_seen: there are 0"),
    "how an arm is called": (put("arms", 0, "phrase", to="the winner"), "arms: this is not what the study says"),
    "a study that was not looked at before": (put("exploratory", to=True), "exploratory: it does not follow"),
    "a subgroup": (put("study", "tasks", 0, "subgroups", 0, "cases", to=(1,)), "study.tasks.0.subgroups"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_was_changed_by_hand_is_refused_with_its_place(real: Path, name: str) -> None:
    edit, place = WRONG[name]
    with pytest.raises(InputError) as refused:
        read_run(edited(real, edit))
    said = str(refused.value)
    assert f"{real / 'results.json'}, " in said
    assert place in said
    assert "Run `preceptor study` again" in said


def test_what_another_version_said_is_left_to_it(real: Path) -> None:
    said = "As another version would say it."
    read_run(
        edited(
            real, lambda results: (results["versions"].update(EARLIER), contrast("sft", "base", sentence=said)(results))
        )
    )
    with pytest.raises(InputError, match="a primary one, is missing"):
        read_run(edited(real, lambda results: results["contrasts"].pop(0)))


def test_a_resampled_interval_that_is_believed_is_computed_again_by_the_same_study(
    tmp_path: Path, tiny_model_folder: Path
) -> None:
    """As docs/RUN_FOLDER.md says: patients are not in the run folder, so reading cannot resample them."""
    settings = {"arms": ["base", "sft"], "sft": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01}}
    first = run(tmp_path / "own", tiny_model_folder, tmp_path / "run", **settings)
    file = tmp_path / "run" / "results.json"
    written = json.loads(file.read_text())
    edited(tmp_path / "run", put("contrasts", 0, "ci_90", 0, to=(0.001,)))
    assert written["contrasts"][0]["test"] == "arms swapped within patients"
    read_run(tmp_path / "run")
    first.again(**settings)
    again = json.loads(file.read_text())
    assert {name for name in written if written[name] != again[name]} <= {"created"}


def test_commands_refuse_it(preceptor: CommandLine, real: Path, synthetic: Path, tmp_path: Path) -> None:
    edited(real, put("cells", 0, "value", to=0.99))
    for words in (["report", real], ["compare", real, synthetic, "--output", tmp_path / "both.html"]):
        refused = preceptor.run(*words)
        assert (refused.code, "cells.0.value" in refused.errors) == (2, True), refused


def test_what_cannot_be_computed_again_is_to_be_put_back(real: Path) -> None:
    (real / "purged.json").write_text("{}")
    shutil.rmtree(real / "cells")
    read_run(real)
    with pytest.raises(InputError, match=r"cells\.0\.n.*put it back from a copy"):
        read_run(edited(real, put("cells", 0, "n", to=(1,))))


def test_answers_that_are_not_those_of_the_results_are_refused(synthetic: Path) -> None:
    results = json.loads((synthetic / "results.json").read_text())
    text = next(number for number, cell in enumerate(results["cells"]) if cell["task"] == "summarization")
    file = synthetic / results["cells"][text]["predictions"]["path"]
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"score": ', b'"score":  ', 1))
    with pytest.raises(InputError, match=r"predictions\.jsonl: these predictions were changed"):
        read_run(synthetic)
    file.write_bytes(whole)
    with pytest.raises(InputError, match=rf"cells\.{text}\.value: it is not the mean of the scores"):
        read_run(edited(synthetic, put("cells", text, "value", to=0.123)))


def test_results_as_studies_write_them_are_believed(real: Path, synthetic: Path, tmp_path: Path) -> None:
    for folder in (real, synthetic):
        assert read_run(folder).results.cells
        write_report(folder)
    write_comparison(synthetic, synthetic, tmp_path / "both.html")


@pytest.mark.parametrize("arms", [["base", "sft"], ["base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf"]])
def test_so_are_those_of_every_task_and_of_few_cases(tmp_path: Path, tiny_source: Any, arms: list[str]) -> None:
    tasks = [task for task in builtin_tasks() if task != "as_given"]
    for number, limit in enumerate((5, 30)):
        folder = synthetic_run(tmp_path / str(number), tiny_source, dict.fromkeys(tasks, limit), arms, seeds=(0, 3))
        assert len(read_run(folder).results.study.tasks) == len(tasks)
