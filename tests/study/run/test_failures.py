"""What fails and concerns one arm on one task costs that cell alone: the others are finished, and it is said why."""

import csv
import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console

from chat_stub import serving
from command_line import CommandLine
from html_page import Page
from preceptor import chat_server
from preceptor.engine import Numerics, run_dpo
from preceptor.errors import InputError, OutOfMemoryError, PreceptorError, Problem, UnforeseenError
from preceptor.study import items_to_label, load_study, open_arm, rows_of_arm, run_study
from preceptor.study.run.failures import CellError, Part
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.locks import FolderHeldError
from preceptor.study.run.test_set_ledger import ledger_path
from preceptor.study.stage_tree.stage_context import Context
from preceptor.study.stage_tree.tree import StageTree
from prepared_study import prepare_tiny
from study_runs import Run, run
from tiny_study import STUDY, TASK, write_study, write_table

ARMS = ["base", "sft", "sft+dpo", "sft+sft", "tfidf"]
TRAINED = ["sft", "sft+dpo", "sft+sft"]
DIVERGING = {**STUDY["sft"], "learning_rate": 1e6}
SHORT: dict[str, Any] = {
    "sft": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01},
    "dpo": {"epochs": 1, "batch_size": 4, "learning_rate": 0.001},
    "pairs": {"limit": 8},
}
NOT_A_NUMBER = "the loss or its gradient is no longer a number"


def write_three(folder: Path, model_folder: Path, *, mended: bool = False) -> Path:
    """A study of three tasks: a sound one, one that diverges, and one so easy that it gives no pair to prefer."""
    folder.mkdir(parents=True, exist_ok=True)
    table = write_table(folder / "cases.csv", patients=100)
    rows = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
    for name, change in (("letters", {"note": "Letter. "}), ("others", {"note": "Seen again. "})):
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, [*rows[0], "right", "wrong"])
            out.writeheader()
            out.writerows(
                row | {"note": change["note"] + row["note"], "right": "routine", "wrong": "no"} for row in rows
            )
    text = {**TASK, "name": "letter", "answer": {"kind": "text", "max_new_tokens": 4}, "metric": "rouge_l", "also": []}
    for task in (TASK | {"name": "diverging"}, text):
        (folder / f"{task['name']}.task.yaml").write_text(yaml.safe_dump(task, sort_keys=False))
    letters = {"path": "letters.csv", "target": "right", "group": "patient"}
    tasks = [
        {
            "task": "diverging.task.yaml",
            "data": {"path": "others.csv", "target": "urgency", "group": "patient"},
            "sft": STUDY["sft"] if mended else DIVERGING,
        },
        {"task": "letter.task.yaml", "data": {**letters, "rejected": "wrong"} if mended else letters},
        {"task": "urgency.task.yaml", "data": {"path": "cases.csv", "target": "urgency", "group": "patient"}},
    ]
    return write_study(folder, model_folder, tasks=tasks, arms=ARMS, name="three")


@pytest.fixture(scope="module")
def three_once(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("three")
    file = write_three(folder, tiny_model_folder)
    study, base = load_study(str(file))
    results = run_study(study, base, folder / "run", Console(quiet=True), command=f"preceptor study {file}")
    return Run(study, file, folder / "run", results.model_dump(mode="json"))


@pytest.fixture
def three(three_once: Run, tmp_path: Path) -> Run:
    """A copy that a test may change."""
    folder = Path(shutil.copytree(three_once.study_file.parent, tmp_path / "three"))
    return replace(three_once, study_file=folder / "study.yaml", folder=folder / "run")


def failed(results: dict[str, Any]) -> list[tuple[str, str, int, str]]:
    return [(one["task"], one["arm"], one["seed"], one["stage"]) for one in results["failed"]]


def answered(results: dict[str, Any], task: str) -> list[str]:
    return [cell["arm"] for cell in results["cells"] if cell["task"] == task]


def conclusion(results: dict[str, Any], task: str) -> dict[str, Any]:
    (found,) = [one for one in results["conclusions"] if one["task"] == task]
    return found


# A study in which two of three tasks fail


def test_each_failure_is_recorded_with_where_why_and_what_to_do(three_once: Run) -> None:
    results = json.loads((three_once.folder / "results.json").read_text())
    assert failed(results) == [
        *(("diverging", arm, 0, "SFT") for arm in TRAINED),
        *(("letter", arm, 0, "DPO") for arm in ("sft+dpo", "sft+sft")),
    ]
    own, *rest = [one for one in results["failed"] if one["task"] == "diverging"]
    assert own["reason"].startswith("optimizer step ")
    assert own["reason"].endswith(NOT_A_NUMBER)
    assert own["fix"] == "Lower learning_rate (it is 1e+06)"
    assert all(one["reason"] == f"SFT, which it rests on, failed: {own['reason']}" for one in rest)
    dpo, more_sft = [one for one in results["failed"] if one["task"] == "letter"]
    assert dpo["reason"].startswith("task letter: the maker made no usable pair of any training case")
    assert more_sft["reason"].startswith("DPO, which it rests on, failed: ")
    assert all(one["model"] == results["study"]["model"]["name"] for one in results["failed"])


def test_every_other_arm_is_answered_and_the_sound_task_has_its_verdict(three_once: Run) -> None:
    results = three_once.results
    assert answered(results, "diverging") == ["base", "tfidf"]
    assert answered(results, "letter") == ["base", "sft"]
    assert answered(results, "urgency") == ARMS
    compared = {(one["a"], one["b"]) for one in results["contrasts"] if one["task"] == "urgency"}
    assert {("sft+dpo", "sft"), ("sft+dpo", "sft+sft"), ("sft", "base"), ("sft", "tfidf")} < compared
    assert not conclusion(results, "urgency")["sentence"].startswith("On urgency, whether DPO is worth it was not")
    assert all("failed" not in warning for warning in conclusion(results, "urgency")["warnings"])
    assert [one["sentence"] for one in results["contrasts"] if one["task"] == "letter" and one["b"] == "base"]


def test_a_contrast_that_a_failure_took_is_named(three_once: Run) -> None:
    lost = three_once.results["not_compared"]
    primary = [(one["task"], one["a"], one["b"]) for one in lost if one["family"] == "primary"]
    assert primary == [(task, "sft+dpo", other) for task in ("diverging", "letter") for other in ("sft", "sft+sft")]
    said = "SFT+DPO and SFT on letter were not compared: SFT+DPO failed in DPO (seed 0)."
    assert said in [one["sentence"] for one in lost]
    found = conclusion(three_once.results, "letter")
    assert found["sentence"].startswith(
        "On letter, whether DPO is worth it was not compared: SFT+DPO failed in DPO (seed 0)"
    )
    assert (found["conclusion"], found["recommendation"]) == ("unsettled", "do not deploy")
    assert "SFT+DPO failed in DPO (seed 0): nothing is known of it here." in found["warnings"]
    taken = {(one["task"], one["a"], one["b"]) for one in lost}
    there = {(one["task"], one["a"], one["b"]) for one in three_once.results["contrasts"]}
    assert taken.isdisjoint(there)


def test_a_failed_stage_leaves_nothing_that_counts_as_finished(three_once: Run) -> None:
    folders = list(three_once.folder.glob("stages/*"))
    without = [folder for folder in folders if not (folder / "ledger.json").exists()]
    assert len(without) == 1, "the SFT that diverged; the DPO without a pair never began"
    assert not list(without[0].glob("adapter*"))
    assert not list(without[0].glob("checkpoints/checkpoint-*"))


def test_the_same_command_tries_again_what_failed_once_and_ends_with_3(
    three: Run, preceptor: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    tune = Context.tune

    def counted(self: Context, *rest: Any) -> Any:
        trained.append(self.task.task.name)
        return tune(self, *rest)

    monkeypatch.setattr(Context, "tune", counted)
    ended = preceptor.run("study", three.study_file, "--output-dir", three.folder)
    assert (ended.code, ended.errors) == (3, "")
    assert trained == ["diverging"], "three arms rest on it"
    assert "diverging: sft with seed 0 failed in SFT: optimizer step" in ended.shown
    assert ended.shown.count("Lower learning_rate (it is 1e+06)") == 2, "SFT's own, and that of what rests on it"
    assert "SFT+DPO and SFT on letter were not compared" in ended.shown
    assert json.loads((three.folder / "results.json").read_text())["failed"] == three.results["failed"]


def test_when_the_settings_are_mended_only_what_failed_is_made(
    three: Run, preceptor: CommandLine, tiny_model_folder: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in three.folder.glob("[sc]*/**/*") if path.is_file()}
    write_three(three.study_file.parent, tiny_model_folder, mended=True)
    ended = preceptor.run("study", three.study_file, "--output-dir", three.folder)
    assert ended.code == 0, ended.shown
    results = json.loads((three.folder / "results.json").read_text())
    assert (results["failed"], results["not_compared"]) == ([], [])
    assert all(answered(results, task) == ARMS for task in ("diverging", "urgency"))
    kept = [path for path, then in before.items() if path.exists() and path.stat().st_mtime_ns == then]
    finished = [path for path in kept if path.name in ("ledger.json", "predictions.jsonl")]
    assert len(finished) == sum(path.name in ("ledger.json", "predictions.jsonl") for path in before)
    assert "Failed" not in ended.shown
    assert "failed" not in Page((three.folder / "report.html").read_text()).text.lower()


def test_the_report_says_what_failed_near_its_top_and_in_each_table(three: Run, preceptor: CommandLine) -> None:
    assert preceptor.run("report", three.folder).code == 0
    text = Page((three.folder / "report.html").read_text()).text
    found, failing = text.index(" At a glance "), text.index("5 of 14 results are missing.")
    assert failing < found
    for one in three.results["failed"]:
        assert text.index(one["reason"]) < found
        assert text.index(one["fix"]) < found
    for one in three.results["not_compared"]:
        if one["family"] == "primary":
            assert text.count(one["sentence"]) == 2, "beside what was found, and among the primary contrasts"
    assert "SFT in SFT 0 failed" in text, "the table of arms"


def test_an_arm_that_failed_is_named_with_its_reason_by_whoever_asks_for_it(
    three: Run, preceptor: CommandLine, tmp_path: Path
) -> None:
    ended = preceptor.run(
        "export",
        three.folder,
        "--task",
        "diverging",
        "--arm",
        "sft",
        "--to",
        "merged",
        "--output-dir",
        tmp_path / "out",
    )
    assert ended.code == 2
    assert "sft failed on diverging with seed 0, in SFT: optimizer step" in ended.errors
    assert "Lower learning_rate (it is 1e+06). Then run `preceptor study` again with this folder" in ended.errors
    with pytest.raises(InputError, match=r"sft\+dpo failed on letter with seed 0, in DPO: task letter: the maker made"):
        open_arm(three.folder, "letter", "sft+dpo")
    with pytest.raises(InputError, match=r"sft\+dpo failed on letter with seed 0, in DPO"):
        rows_of_arm(three.folder, "letter", "sft+dpo")
    assert open_arm(three.folder, "urgency", "sft+dpo").folder is not None
    assert preceptor.run("compare", three.folder, three.folder, "--output", tmp_path / "page.html").code == 0
    assert "failed seed 0, in SFT" in Page((tmp_path / "page.html").read_text()).text


def test_raters_are_shown_what_there_is_and_told_what_failed(three: Run, tmp_path: Path) -> None:
    console = Console(record=True, width=200, file=(tmp_path / "said").open("w"))
    base = three.study_file.parent
    items = items_to_label(three.study, base, three.folder, console, held_out=True)
    said = console.export_text()
    assert items
    assert all(item.id.startswith("urgency/") for item in items)
    assert "letter: no held-out answers to compare: SFT+DPO failed in DPO (seed 0)." in said
    assert f"urgency: {len(items)} held-out cases with two answers that differ." in said


@pytest.mark.slow
def test_a_cluster_loses_what_rests_on_a_failed_step_and_records_the_same(three_once: Run, tmp_path: Path) -> None:
    # In a process of its own: the next cluster of a process that had one does not come up.
    main = [sys.executable, "-c", "from preceptor.cli import main; main()"]
    command = [*main, "study", str(three_once.study_file), "--on", "ray", "--output-dir", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode == 3, done.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["failed"] == three_once.results["failed"]
    shas = [[cell["predictions"]["sha256"] for cell in one["cells"]] for one in (results, three_once.results)]
    assert shas[0] == shas[1]
    assert "diverging, SFT of sft, seed 0, on " in done.stdout
    assert f"{NOT_A_NUMBER}." in done.stdout


# What may fail, and what must not pass for a failure


@pytest.fixture
def tree(tmp_path: Path, tiny_source: Any) -> StageTree:
    study, _ = load_study(str(write_study(tmp_path / "own", Path("unused"))))
    return StageTree(study, Numerics(threads=1), tiny_source, "hash", RunFolder(tmp_path / "run"), None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError("a word of a case"), "there is not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory"), "there is not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), "there is not enough memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "there is not enough memory"),
        (OutOfMemoryError(), "there is not enough memory"),
        (PreceptorError("DPO's reward margin must be 0."), "DPO's reward margin must be 0"),
        (InputError(Problem("optimizer step 3", "no number", "Lower it.")), "optimizer step 3: no number"),
    ],
)
def test_what_concerns_a_cell_alone_costs_the_cell_and_is_not_tried_twice(
    tree: StageTree, tmp_path: Path, tiny_tokenizer: Any, error: Exception, reason: str
) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    part = Part("urgency", "sft", 0, "SFT")
    with pytest.raises(CellError) as caught, tree.costs_one_cell(part, prepared):
        raise error
    cause = caught.value.cause
    assert (cause.part, cause.reason) == (part, reason)
    assert cause.fix
    with pytest.raises(CellError), tree.costs_one_cell(part, prepared):
        pytest.fail("it is tried again")
    with tree.costs_one_cell(replace(part, seed=1), prepared):
        pass


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(1),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EIO, "Input/output error"),
        TypeError("a fault of ours"),
        AssertionError(),
        ValueError("a word of a case"),
        RuntimeError("shapes do not fit"),
        UnforeseenError("TypeError at line 3 of _sft.py"),
        FolderHeldError(Problem("stages/1", "another process has been working in this folder", "End it.")),
    ],
)
def test_what_concerns_more_than_a_cell_passes_as_it_is(
    tree: StageTree, tmp_path: Path, tiny_tokenizer: Any, error: BaseException
) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    with pytest.raises(type(error)) as caught, tree.costs_one_cell(Part("urgency", "sft", 0, "SFT"), prepared):
        raise error
    assert caught.value is error
    assert tree.failures == {}


def test_a_reason_holds_no_id_of_a_case_and_no_way_to_the_run_folder(
    tree: StageTree, tmp_path: Path, tiny_tokenizer: Any
) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    one, *_, other = prepared.splits.test
    file = tree.run.root / "stages" / "1" / "ledger.json"
    problem = Problem(str(file), f"case {one.id} and case {other.id} could not be asked", f"Delete {file.parent};")
    with pytest.raises(CellError) as caught, tree.costs_one_cell(Part("urgency", "sft", 0, "DPO"), prepared):
        raise InputError(problem)
    assert caught.value.cause.reason == "run/stages/1/ledger.json: a case and a case could not be asked"
    assert caught.value.cause.fix == "Delete run/stages/1;"


# Failures that a machine or a server brings


@pytest.fixture(scope="module")
def begun_once(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("begun")
    write_table(folder / "cases.csv", patients=100)
    return run(folder, tiny_model_folder, folder / "run", **SHORT, arms=["base", "sft"], seeds=[0, 1, 2])


@pytest.fixture
def begun(begun_once: Run, tmp_path: Path) -> Run:
    """A study whose SFT is done, three seeds; a copy that a test may change."""
    folder = Path(shutil.copytree(begun_once.study_file.parent, tmp_path / "begun"))
    return replace(begun_once, study_file=folder / "study.yaml", folder=folder / "run")


def fails_with(error: BaseException, seeds: set[int]) -> Callable[..., Any]:
    def run_or_fail(policy: Any, *, seed: int, **rest: Any) -> Any:
        if seed in seeds:
            raise error
        return run_dpo(policy, seed=seed, **rest)

    return run_or_fail


WITH_DPO: dict[str, Any] = {**SHORT, "arms": ["base", "sft", "sft+dpo"], "seeds": [0, 1, 2]}


def test_a_seed_that_fails_is_left_out_of_the_mean_and_that_is_said(
    begun: Run, monkeypatch: pytest.MonkeyPatch, preceptor: CommandLine
) -> None:
    monkeypatch.setattr("preceptor.study.stages.dpo.run_dpo", fails_with(MemoryError(), {1}))
    results = begun.again(**WITH_DPO).results
    assert failed(results) == [("urgency", "sft+dpo", 1, "DPO")]
    assert results["failed"][0]["reason"] == "there is not enough memory"
    assert "tokens_per_tree" in results["failed"][0]["fix"]
    seeds = {(one["a"], one["b"]): [each["seed"] for each in one["seeds"]] for one in results["contrasts"]}
    assert seeds["sft+dpo", "sft"] == [0, 2]
    assert seeds["sft+dpo", "base"] == [0, 2]
    assert seeds["sft+dpo", "majority"] == [0, 2]
    assert seeds["sft", "base"] == [0, 1, 2]
    said = {(one["a"], one["b"]): one["sentence"] for one in results["contrasts"]}
    assert said["sft+dpo", "sft"].endswith(" Only seeds 0, 2: SFT+DPO failed in DPO (seed 1).")
    assert "Only seeds" not in said["sft", "base"]
    assert results["not_compared"] == []
    (found,) = results["conclusions"]
    assert found["warnings"][0] == "SFT+DPO failed in DPO (seed 1): it is compared over the other seeds only."

    assert preceptor.run("report", begun.folder, "--with-text").code == 0
    text = Page((begun.folder / "report.html").read_text()).text
    assert "seeds 0, 2 only" in text
    assert "SFT+DPO in DPO 1 failed" in text
    with pytest.raises(InputError, match=r"sft\+dpo failed on urgency with seed 1.*Or name a seed that .*: 0, 2\."):
        open_arm(begun.folder, "urgency", "sft+dpo", seed=1)

    monkeypatch.undo()
    assert begun.again(**WITH_DPO).results["failed"] == []


def test_the_first_seed_may_fail_too(begun: Run, monkeypatch: pytest.MonkeyPatch, preceptor: CommandLine) -> None:
    monkeypatch.setattr("preceptor.study.stages.dpo.run_dpo", fails_with(MemoryError(), {0}))
    results = begun.again(**WITH_DPO).results
    (one,) = [one for one in results["contrasts"] if (one["a"], one["b"]) == ("sft+dpo", "sft")]
    assert [each["seed"] for each in one["seeds"]] == [1, 2]
    assert preceptor.run("report", begun.folder, "--with-text").code == 0
    text = Page((begun.folder / "report.html").read_text()).text
    (table,) = re.findall(r"SFT\+DPO \S SFT: case by case, seed 1 (.*?) SFT\+DPO wrong (\d+) (\d+)", text)
    assert [int(number) for number in table[1:]] == [one["counts"]["only_b"], one["counts"]["neither"]]
    opened = dict(re.findall(r"(both right|neither right|only SFT(?:\+DPO)? right): (\d+) case", text))
    titles = {"both right": "both_right", "neither right": "neither", "only SFT right": "only_b"}
    titles["only SFT+DPO right"] = "only_a"
    found = {name: int(opened.get(title, 0)) for title, name in titles.items()}
    assert found == one["counts"], "the cases beside the counts are those of the same seed in both arms"


def test_a_fault_of_ours_ends_the_study(begun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preceptor.study.stages.dpo.run_dpo", fails_with(TypeError("a fault of ours"), {1}))
    with pytest.raises(TypeError, match="a fault of ours"):
        begun.again(**WITH_DPO)
    assert not (begun.folder / "results.json").exists()


def test_a_server_that_fails_for_good_costs_its_arm_alone_and_is_asked_once_for_all_seeds(
    begun: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_server, "_PAUSES", ())
    with serving(lambda _: "urgent", (200, ok("urgent")), *[(500, "chest pain")] * 9) as server:
        endpoint = server.settings.model_dump()
        changes = {**SHORT, "arms": ["base", "sft", "endpoint"], "seeds": [0, 1, 2], "endpoint": endpoint}
        results = begun.again(**changes).results
        asked = len(server.asked)
    assert failed(results) == [("urgency", "endpoint", seed, "answers") for seed in (0, 1, 2)]
    assert asked == 2, "one case was answered, one was not, and no further seed asks again"
    reason = results["failed"][0]["reason"]
    assert reason == f"endpoint {endpoint['url']}: a case could not be asked (status 500)"
    assert answered(results, "urgency") == ["base", "sft"] * 3
    with serving(lambda _: "urgent") as server:
        changes["endpoint"] = server.settings.model_dump()
        assert begun.again(**changes).results["failed"] == []


def ok(text: str) -> str:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]})


def test_when_everything_fails_there_are_results_and_nobody_has_looked(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    file = write_study(tmp_path, tiny_model_folder, arms=["sft", "sft+dpo"], sft=DIVERGING, seeds=[0, 1])
    ended = preceptor.run("study", file, "--output-dir", tmp_path / "run")
    assert ended.code == 3, ended.errors
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert failed(results) == [("urgency", arm, seed, "SFT") for seed in (0, 1) for arm in ("sft", "sft+dpo")]
    assert (results["cells"], results["contrasts"]) == ([], [])
    assert results["study"]["tasks"][0]["looks"] == 0
    assert not ledger_path().read_bytes()
    assert "4 of 4 results are missing." in Page((tmp_path / "run" / "report.html").read_text()).text
    (found,) = results["conclusions"]
    assert found["recommendation"] == "do not deploy"
    assert "look at the test set" not in ended.shown


def test_what_the_check_finds_still_ends_the_study_before_it_begins(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    file = write_study(tmp_path, tiny_model_folder, max_length=100_000)
    assert preceptor.run("study", file, "--output-dir", tmp_path / "run").code == 2
