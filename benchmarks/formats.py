"""What does bfloat16 change on this CPU? `python -m benchmarks.formats [--json]`

The shortest study on the real model (`tests/front_door.yaml`) in float32 and in bfloat16, each in a process of its own:
how many held-out answers are alike, how long each took, and how far apart the untouched model's log-probabilities of
the study's own answers are. Then what the float32 product with the vocabulary costs: 128 hidden states, as it was in
the model's format and as it is, in turn, the median; and 800 rows through a layer, as models are loaded here and as
torch has it.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import yaml
from rich.console import Console
from torch import nn

from benchmarks._measure import Row, alternate, at_least, at_most
from preceptor.engine import answer_logprobs
from preceptor.engine.output_layer import float32_head
from preceptor.files import read_jsonl
from preceptor.models import Encoded, load_policy, load_tokenizer
from preceptor.models._sixteen_bits import avoid_slow_products
from preceptor.study import load_study
from preceptor.study.cases import prepare
from preceptor.study.check import check_study
from preceptor.study.spec.paths import model_of

STUDY = Path(__file__).parents[1] / "tests" / "front_door.yaml"
WIDE, NARROW = "float32", "bfloat16"
ROWS, LAYER_ROWS = 128, 800
TIMES = 9


def measure(file: Path) -> list[Row]:
    """Both studies, the gap between their log-probabilities, and the product with the vocabulary."""
    with TemporaryDirectory() as aside:
        runs = {dtype: Path(aside) / dtype for dtype in (WIDE, NARROW)}
        seconds = {dtype: _run(file, dtype, run) for dtype, run in runs.items()}
        rows = [at_most("study", NARROW, seconds[NARROW], seconds[WIDE], "s", None)]
        for arm in ("base", "sft", "sft+dpo"):
            wide, narrow = (_answers(run, arm) for run in runs.values())
            alike = sum(a == b for a, b in zip(wide, narrow, strict=True))
            rows.append(at_least("answers alike", arm, alike, len(wide), "of", None))
    rows += _gaps(file)
    formats = (torch.float32, torch.bfloat16)
    return [*rows, *map(_product, formats), *map(_layer, formats)]


def _run(file: Path, dtype: str, run: Path) -> float:
    study = run.with_suffix(".yaml")
    settings = yaml.safe_load(file.read_text(encoding="utf-8")) | {"numerics": {"dtype": dtype}}
    study.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [sys.executable, "-c", "from preceptor.cli import main; main()", "study", str(study)]
    started = time.perf_counter()
    subprocess.run([*command, "--output-dir", str(run)], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _answers(run: Path, arm: str) -> list[str]:
    (file,) = run.glob(f"cells/*/*/{arm}/seed-0/predictions.jsonl")
    return [row["text"] for row in read_jsonl(file)]


@torch.no_grad()
def _gaps(file: Path) -> list[Row]:
    """The largest distance of the log-probability of a token, and of an answer, in nats; the peer is 1 nat."""
    study, folder = load_study(str(file))
    source = model_of(study, folder)
    (checked,) = check_study(study, folder, Console(quiet=True))
    prepared = prepare(checked, study, load_tokenizer(source))
    cases: Sequence[Encoded] = [*prepared.train, *prepared.validation]
    models = (load_policy(source, None, dtype=dtype).model for dtype in (torch.float32, torch.bfloat16))
    wide, narrow = ([one for case in cases for one in answer_logprobs(model, [case])] for model in models)
    token = max(float((a - b).abs().max()) for a, b in zip(wide, narrow, strict=True))
    answer = max(float((a - b).sum().abs()) for a, b in zip(wide, narrow, strict=True))
    return [
        at_most("largest gap of a token", f"{len(cases)} answers", token, 1.0, "nats", None),
        at_most("largest gap of an answer", f"{len(cases)} answers", answer, 1.0, "nats", None),
    ]


def _product(dtype: torch.dtype) -> Row:
    study, folder = load_study(str(STUDY))
    model = load_policy(model_of(study, folder), None, dtype=dtype).model
    head: nn.Linear = model.get_output_embeddings()  # type: ignore[operator]
    hidden = torch.randn(ROWS, head.in_features, dtype=dtype)

    def before() -> None:
        nn.functional.linear(hidden, head.weight).float()

    def now() -> None:
        head(hidden)

    with torch.no_grad(), float32_head(model):
        ours, peer = alternate([now, before], TIMES, lambda _: None)
    return at_most("product with the vocabulary", _name(dtype), 1e3 * ours, 1e3 * peer, "ms", None)


def _layer(dtype: torch.dtype) -> Row:
    """Forward and backward of one linear layer: as models are loaded here, over torch's own."""
    ours, own = (nn.Linear(576, 1536, bias=False, dtype=dtype) for _ in range(2))
    avoid_slow_products(ours)
    x = torch.randn(LAYER_ROWS, 576, dtype=dtype, requires_grad=True)

    def step(layer: nn.Linear) -> None:
        layer(x).sum().backward()

    taken = alternate([lambda: step(ours), lambda: step(own)], TIMES, lambda _: None)
    return at_most("layer, forward and backward", _name(dtype), 1e3 * taken[0], 1e3 * taken[1], "ms", None)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What bfloat16 changes on this CPU.")
    parser.add_argument("--json", action="store_true", help="print rows instead of a table")
    arguments = parser.parse_args()
    rows = measure(STUDY)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(f"{'what':38}{'case':14}{'ours':>9}{'peer':>9} {'unit':5}{'ratio':>7}")
    for row in rows:
        print(f"{row.what:38}{row.case:14}{row.ours:9.4g}{row.peer:9.4g} {row.unit:5}{row.ratio:7.3f}")


if __name__ == "__main__":
    main()
