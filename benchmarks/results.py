"""Write docs/RESULTS.md from finished runs: `python -m benchmarks.results RUN [RUN ...] [--machine TEXT]`

Every figure of ours comes from a run folder's `results.json`; the paper's stand in `_published.py`. The same runs give
the same page. Paths of this machine are left out of it. Controls and the replication come from docs/results.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import controls, replication
from benchmarks._markdown import NONE, table, value_or_dash
from benchmarks._paper_section import paper_section
from benchmarks._published import CREDITS, PAPER_ROWS
from preceptor.errors import InputError, Problem
from preceptor.evidence import metric_title, number
from preceptor.files import write_atomic

PROGRAM = "python -m benchmarks.results"
DEFAULT_OUTPUT = Path("docs/RESULTS.md")
LEGEND = """\
How to read it:

- **Values** are on held-out cases, with the 95% interval (patients resampled). Every arm answers the same cases.
- **Majority**: what giving every case the commonest training label would score. Free text has none.
- **Invalid**: share of answers that could not be read. They count as wrong.
- **Cost** is training, added up over the arm's stages, pairs and reference included; answering the held-out cases is
  not in it. Time is of the machine it was measured on; tokens and FLOPs are not. FLOPs are set against SFT's.
- **Verdicts**: `better` and `worse` need p < .05 after Holm's correction over the study's primary contrasts (a study
  without conclusions is of an earlier version: over all its contrasts), and an interval without 0. `inconclusive` does
  not say that two arms are alike. docs/EVIDENCE.md says what each word means; secondary contrasts are in the report.
- An interval holds the chance in the choice of patients, not the chance in training."""

Results = dict[str, Any]


def page(runs: Sequence[Results], command: str, machine: str | None = None, note: str | None = None) -> str:
    """The page for the contents of several `results.json`, in the order given.

    Raises InputError when a task on real data has no credit in `_published.py`.
    """
    uncredited = [task for run in runs for task in _real_tasks(run) if task not in CREDITS]
    if uncredited:
        fix = "Add set, publication and licence to CREDITS in benchmarks/_published.py"
        raise InputError([Problem(f"task {name}", "its data have no credit", fix) for name in uncredited])
    lines = [
        "# Results",
        "",
        "Made from the `results.json` of finished runs by this command; no figure of ours was typed in:",
        "",
        "```",
        command,
        "```",
        *(["", f"Measured on {machine}."] if machine else []),
        *(["", note] if note else []),
        "",
        LEGEND,
    ]
    for run in runs:
        lines += ["", *study_section(run)]
    return "\n".join(lines) + "\n"


def study_section(run: Results) -> list[str]:
    """One study: how it was run, its results, their cost, the verdicts, and the paper's figures where tasks agree."""
    study = run["study"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    lines = [
        f"## {study['name']}",
        "",
        study["question"],
        "",
        *_about_control(run),
        f"- Command: `{' '.join(without_machine_path(word) for word in run['command'].split(' '))}`",
        f"- Finished: {_moment(run['created'])}",
        f"- Model: {study['model']['title']}",
        f"- Versions: {versions}",
        *_about_cases(run),
        "",
        *table(["output", "metric", "train", "held out", "majority", *map(_arm, study["arms"])], _value_rows(run)),
        "",
        "What it took, and what else was measured:",
        "",
        *table(["output", "arm", "invalid", "tokens computed", "time", "FLOPs / SFT", "beside it"], _cost_rows(run)),
        "",
        *_conclusions(run),
        *(
            f"- **{each['verdict']}**: {each['sentence']}"
            for each in run["contrasts"]
            if each.get("family", "primary") == "primary" or "@" in each["a"]  # another maker of rejected answers
        ),
        *(
            f"- **not compared**: {one['sentence']}"
            for one in run.get("not_compared", ())
            if one["family"] == "primary"
        ),
        *_failures(run),
    ]
    if any(task["name"] in PAPER_ROWS for task in study["tasks"]) and not run.get("spikes"):
        lines += ["", *paper_section(run)]
    return lines


NO_CONTROL = (
    "**This study cannot speak of DPO**: no control shows that it could have seen a gain (docs/EVIDENCE.md). What is "
    "said of DPO below says what was measured, not that there is nothing to measure."
)


def _about_control(run: Results) -> list[str]:
    """Whether the study's control passed, where it has an arm with DPO."""
    if not any("dpo" in arm for arm in run["study"]["arms"]) or run.get("spikes"):
        return []
    passed = [one["control"] == "passed" for one in run.get("could_have_seen", ())]
    return [] if passed and all(passed) else [NO_CONTROL, ""]


def _failures(run: Results) -> list[str]:
    """What has no result, and why; nothing in a run that finished everything."""
    return [
        f"- **failed**: {one['task']}, {_arm(one['arm'])}, seed {one['seed']}, in {one['stage']}: {one['reason']}."
        for one in run.get("failed", ())
    ]


def _conclusions(run: Results) -> list[str]:
    """What follows for each output; nothing in a run of an earlier version."""
    told = [f"- {one['learned']} {one['held']} **{one['sentence']}** {one['scope']}" for one in run.get("spikes", ())]
    told += [f"- {each['sentence']} **{each['recommendation'].capitalize()}.**" for each in run.get("conclusions", ())]
    return [*told, ""] if told else []


def without_machine_path(word: str) -> str:
    """An absolute path as seen from here, or its last part when it lies elsewhere; any other word as it is."""
    path = Path(word)
    if not path.is_absolute():
        return word
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name


def _about_cases(run: Results) -> list[str]:
    real = _real_tasks(run)
    synthetic = [task["name"] for task in run["study"]["tasks"] if task["synthetic"]]
    lines = []
    if synthetic:
        which = f"of {', '.join(synthetic)} " if real else ""
        lines.append(f"- **The cases {which}are synthetic, and no clinician has reviewed them.**")
    lines += [f"- Data: {credit}" for credit in dict.fromkeys(CREDITS[task] for task in real)]
    return lines


def _real_tasks(run: Results) -> list[str]:
    return [task["name"] for task in run["study"]["tasks"] if not task["synthetic"]]


def _value_rows(run: Results) -> Iterator[list[str]]:
    study = run["study"]
    for task in study["tasks"]:
        counts = task["counts"]
        held_out = f"{counts['test']} ({counts['groups_test']} patients)"
        for seed in study["seeds"]:
            shown = [_shown(run, task["name"], arm, seed) for arm in study["arms"]]
            yield [
                _output(study, task, seed),
                metric_title(task["metric"]),
                str(counts["train"]),
                held_out,
                value_or_dash(task["majority"]),
                *shown,
            ]


def _cost_rows(run: Results) -> Iterator[list[str]]:
    study = run["study"]
    for task in study["tasks"]:
        for seed in study["seeds"]:
            for arm in study["arms"]:
                cell = _cell(run, task["name"], arm, seed)
                if cell is None:  # word counts give labels only, and some arm may have failed
                    continue
                cost = cell["cost"]
                yield [
                    _output(study, task, seed),
                    _arm(arm),
                    f"{100 * cell['invalid_rate']:.0f}%",
                    f"{cost['tokens_computed']:,}",
                    _duration(cost["seconds"]),
                    _flops_ratio(run, cell),
                    ", ".join(f"{metric_title(name)} {value_or_dash(value)}" for name, value in cell["also"].items())
                    or NONE,
                ]


def _shown(run: Results, task: str, arm: str, seed: int) -> str:
    """The arm's value, `failed`, or a dash where the arm is not for this task."""
    if cell := _cell(run, task, arm, seed):
        return _with_interval(cell)
    failed = {(one["task"], one["arm"], one["seed"]) for one in run.get("failed", ())}
    return "failed" if (task, arm, seed) in failed else NONE


def _flops_ratio(run: Results, cell: Results) -> str:
    if "sft" not in run["study"]["arms"]:
        return NONE
    sft = _cell(run, cell["task"], "sft", cell["seed"])
    flops = sft["cost"]["flops"] if sft else 0
    return f"{cell['cost']['flops'] / flops:.1f}" if flops else NONE


def _cell(run: Results, task: str, arm: str, seed: int) -> Results | None:
    """The arm's cell; None where the arm is not for this task."""
    cells = {(cell["task"], cell["arm"], cell["seed"]): cell for cell in run["cells"]}
    return cells.get((task, arm, seed))


def _output(study: Results, task: Results, seed: int) -> str:
    return str(task["name"]) if len(study["seeds"]) == 1 else f"{task['name']}, seed {seed}"


def _arm(arm: str) -> str:
    return {"tfidf": "TF-IDF", "encoder": "Encoder"}.get(arm, arm if arm.startswith("base") else arm.upper())


def _with_interval(cell: Results) -> str:
    low, high = cell["ci"]
    return value_or_dash(cell["value"]) + ("" if low is None else f" [{number(low)}, {number(high)}]")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _moment(iso: str) -> str:
    when = datetime.fromisoformat(iso)
    return f"{when.day} {when:%B %Y, %H:%M %Z}"


def measured_apart() -> list[str]:
    """What docs/results holds of programs that are no single study: controls, and the replication over its seeds."""
    return [line for section in (controls.section(), replication.section()) if section for line in ("", *section)]


def read_results(folders: Sequence[Path]) -> list[Results]:
    """The contents of each folder's `results.json`. Raises InputError for all that cannot be read."""
    found: list[Results] = []
    problems: list[Problem] = []
    for folder in folders:
        try:
            found.append(json.loads((folder / "results.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            fix = "Name the folder of a finished run, such as runs/quickstart"
            problems.append(Problem(str(folder), "there is no results.json that can be read", fix))
    if problems:
        raise InputError(problems)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page and return the exit code: 0, or 2 when a run cannot be used."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Write docs/RESULTS.md from finished runs.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder, such as runs/quickstart")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT, help="default: %(default)s")
    parser.add_argument("--machine", help="what the runs were measured on, in words")
    parser.add_argument("--note", help="what else must be known of the runs")
    words = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser.parse_args(words)
    command = f"{PROGRAM} {shlex.join(map(without_machine_path, words))}"
    try:
        text = page(read_results(asked.runs), command, asked.machine, asked.note)
        write_atomic(asked.output, text + "".join(f"{line}\n" for line in measured_apart()))
    except InputError as error:
        print(f"error {error}", file=sys.stderr)
        return error.exit_code
    except (KeyError, TypeError) as error:
        print(f"error a results.json lacks an entry this page needs: {error}", file=sys.stderr)
        return 2
    print(f"Wrote {asked.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
