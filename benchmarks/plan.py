"""Does `preceptor plan` tell the truth? `python -m benchmarks.plan [--json] [--only CASE,..]`

Small studies, each in a process of its own: it is planned, which times the model for some seconds, and then done, on
two threads. `ours` is what was planned and `peer` what was measured: seconds from the first stage to the last answer,
and the most memory that the process held. Within 20% means that neither is more than 1.2 times the other.
A machine on which others work gives a study other cores than its plan had: `cores` shows how many each had.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks._measure import Row
from preceptor.models import EMBEDDED, fetch_embedded

BOUND = 1.2
_ROOT = Path(__file__).parents[1]

_SHORT = {"task": "text_classification", "data": {"cases": 400, "seed": 2}}
_NUMBERS = {"task": "numeric_classification", "data": {"cases": 400, "seed": 2}}
_REASONING = {"task": "clinical_reasoning", "data": {"cases": 400, "seed": 2}}
_SUMMARIES = {"task": "summarization", "data": {"cases": 400, "seed": 2}}
_ONE_EPOCH = {"epochs": 1, "batch_size": 8}


def _task(entry: dict[str, Any], train: int, test: int) -> list[dict[str, Any]]:
    return [entry | {"limit": {"train": train, "validation": 8, "test": test}}]


def _wide(folder: Path) -> str:
    """A model of about 36 million weights, wider and of fewer layers than the embedded one."""
    return _random_model(folder / "36M", hidden_size=512, intermediate_size=1024, num_hidden_layers=6, heads=8)


def _almost_nothing(folder: Path) -> str:
    """A model whose process takes hardly more than a process."""
    return _random_model(folder / "tiny", hidden_size=32, intermediate_size=64, num_hidden_layers=2, heads=4)


def _larger(folder: Path) -> str:
    """A model of about 300 million weights."""
    return _random_model(folder / "300M", hidden_size=1024, intermediate_size=3072, num_hidden_layers=20, heads=16)


def _random_model(folder: Path, *, heads: int, **shape: Any) -> str:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    embedded = fetch_embedded()
    vocabulary = json.loads((embedded / "config.json").read_text())["vocab_size"]
    config = LlamaConfig(vocab_size=vocabulary, num_attention_heads=heads, num_key_value_heads=heads // 4, **shape)
    config.tie_word_embeddings = True
    config.max_position_embeddings = 4096
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (embedded / name).is_file():
            shutil.copy(embedded / name, folder)
    return str(folder)


CASES: Mapping[str, dict[str, Any]] = {
    "SFT, short cases": {"arms": ["sft"], "tasks": _task(_SHORT, 48, 16), "sft": _ONE_EPOCH},
    "SFT and DPO": {"arms": ["sft+dpo"], "tasks": _task(_NUMBERS, 32, 16), "sft": _ONE_EPOCH},
    "answers of the untouched model": {"arms": ["base"], "tasks": _task(_SUMMARIES, 8, 64)},
    "SFT, cases of 1,000 tokens": {"arms": ["sft"], "long": True, "sft": _ONE_EPOCH},
    "SFT, trees of 512 tokens": {
        "arms": ["sft"],
        "tasks": _task(_REASONING, 40, 8),
        "sft": _ONE_EPOCH,
        "numerics": {"tokens_per_tree": 512},
    },
    "every weight": {"arms": ["sft"], "tasks": _task(_SHORT, 40, 8), "sft": _ONE_EPOCH, "adapter": "none"},
    "16-bit numbers": {
        "arms": ["sft"],
        "tasks": _task(_SHORT, 32, 8),
        "sft": _ONE_EPOCH,
        "numerics": {"dtype": "bfloat16"},
    },
    "36M weights, SFT and DPO": {
        "arms": ["sft+dpo"],
        "tasks": _task(_SHORT, 96, 32),
        "sft": _ONE_EPOCH,
        "model": _wide,
    },
    "300M weights": {"arms": ["sft"], "tasks": _task(_NUMBERS, 16, 8), "sft": _ONE_EPOCH, "model": _larger},
    "a model of almost nothing": {
        "arms": ["sft+dpo"],
        "tasks": _task(_SHORT, 48, 16),
        "sft": _ONE_EPOCH,
        "model": _almost_nothing,
    },
    "36M, SFT and DPO, 1,000 tokens": {"arms": ["sft+dpo"], "long": True, "sft": _ONE_EPOCH, "model": _wide},
    "16-bit numbers, SFT and DPO": {
        "arms": ["sft+dpo"],
        "tasks": _task(_NUMBERS, 24, 8),
        "sft": _ONE_EPOCH,
        "numerics": {"dtype": "bfloat16"},
    },
    "300M, every weight": {
        "arms": ["sft"],
        "tasks": _task(_NUMBERS, 16, 8),
        "sft": _ONE_EPOCH,
        "model": _larger,
        "adapter": "none",
    },
}
"""Changes to a study of the embedded model; `model` makes one, and `long` gives a table of long notes."""


def main() -> None:
    """Plan and do every case, and print the rows."""
    parser = argparse.ArgumentParser(description="What was planned against what was measured.")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--only", metavar="CASE;...", help=f"of {'; '.join(CASES)}; default: all")
    arguments = parser.parse_args()
    names = arguments.only.split(";") if arguments.only else list(CASES)
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"there is no {', '.join(unknown)}")
    rows: list[Row] = []
    if not arguments.json:
        print(f"{'what':10}{'case':34}{'ours':>8}{'peer':>8} {'unit':9}{'ratio':>6}{'bound':>6}  holds  cores")
    for name in names:
        done = measured(name, CASES[name])
        both = (_row("time", name, done, "seconds", 1.0), _row("memory", name, done, "bytes", 2**30))
        rows += both
        if not arguments.json:
            for row in both:
                print(_line(row, done), flush=True)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))


def measured(name: str, case: dict[str, Any]) -> dict[str, Any]:
    """Plan and do one case in a process of its own."""
    with TemporaryDirectory() as aside:
        folder = Path(aside)
        study = folder / "study.yaml"
        study.write_text(yaml.safe_dump(_settings(name, dict(case), folder)), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks._planned", str(study), str(folder / "run")]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=_ROOT)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def _settings(name: str, case: dict[str, Any], folder: Path) -> dict[str, Any]:
    make: Callable[[Path], str] = case.pop("model", lambda _: EMBEDDED)
    if case.pop("long", False):
        case["tasks"] = _long_notes(folder)
    numerics = {"dtype": "float32", "threads": 2} | case.pop("numerics", {})
    return {"name": "plan", "model": make(folder), "numerics": numerics} | case


def _long_notes(folder: Path) -> list[dict[str, Any]]:
    """A table of notes of about 900 tokens each, made of built-in cases."""
    from preceptor.tasks import make_cases

    cases = make_cases("text_classification", 400, 2)
    table = ["patient,note,label"]
    for n in range(30):
        note = " ".join(" ".join(map(str, case.fields.values())) for case in cases[12 * n : 12 * n + 12])
        table.append(f'P{n},"{note.replace(chr(34), "")}",{("yes", "no")[n % 2]}')
    (folder / "notes.csv").write_text("\n".join(table), encoding="utf-8")
    task = {
        "name": "long_notes",
        "title": "Long notes",
        "question": "Does it end well?",
        "source": "made for a benchmark",
        "fields": {"note": "the note"},
        "instruction": "Answer yes or no.",
        "prompt": "{note}",
        "cut": "note",
        "answer": {"kind": "label", "labels": {"yes": "yes", "no": "no"}, "max_new_tokens": 8},
        "metric": "accuracy",
    }
    (folder / "long_notes.task.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    data = {"path": "notes.csv", "target": "label", "group": "patient"}
    limit = {"train": 12, "validation": 2, "test": 3}
    return [{"task": "long_notes.task.yaml", "data": data, "limit": limit}]


def _row(what: str, case: str, done: dict[str, Any], unit: str, scale: float) -> Row:
    ours, peer = done[f"planned_{unit}"] / scale, done[unit] / scale
    ratio = ours / peer
    return Row(what, case, ours, peer, "s" if scale == 1 else "GiB", ratio, BOUND, 1 / BOUND <= ratio <= BOUND)


def _line(row: Row, done: dict[str, Any]) -> str:
    cores = f"{done['planning_cores']:.1f} planned, {done['cores']:.1f} done" if row.what == "time" else ""
    figures = f"{row.ours:>8.3g}{row.peer:>8.3g} {row.unit:9}{row.ratio:>6.2f}{row.bound:>6g}"
    return f"{row.what:10}{row.case:34}{figures}  {'yes' if row.holds else 'NO':5}  {cores}"


if __name__ == "__main__":
    main()
