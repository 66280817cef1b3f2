"""What leaves a study in bfloat16, on whatever CPU: exported, served and asked again."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from command_line import CommandLine
from preceptor.ship import export
from preceptor.study import ArmOfRun, load_study, open_arm, run_study
from ship.serving.process import Server
from tiny_study import write_study, write_table

pytestmark = pytest.mark.slow
QUIET = Console(file=io.StringIO())


@pytest.fixture(scope="module")
def run_in_16_bits(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("sixteen")
    (folder / "own").mkdir()
    write_table(folder / "own" / "cases.csv", patients=120)
    file = write_study(
        folder / "own",
        tiny_model_folder,
        adapter={"rank": 8, "alpha": 16},
        sft={"epochs": 20, "patience": 20, "batch_size": 8, "learning_rate": 0.01},
        dpo={"epochs": 2, "batch_size": 4, "learning_rate": 0.003},
        numerics={"dtype": "bfloat16", "threads": 1},
    )
    study, base = load_study(str(file))
    results = run_study(study, base, folder / "run", QUIET, command=f"preceptor study {file}")
    assert results.failed == []
    return folder / "run"


@pytest.fixture
def arm(run_in_16_bits: Path) -> ArmOfRun:
    return open_arm(run_in_16_bits, "urgency", "sft+dpo")


def test_it_learned_something_in_16_bits_and_its_labels_were_scored_in_32(arm: ArmOfRun) -> None:
    assert arm.study.numerics.dtype == "bfloat16"
    assert arm.numerics.dtype == "float32"
    assert {one.text for one in arm.predictions} <= {"urgent", "routine"}
    base = open_arm(arm.root, "urgency", "base")
    assert [one.text for one in base.predictions] != [one.text for one in arm.predictions]


@pytest.mark.parametrize(("to", "stored"), [("adapter", None), ("merged", None), ("gguf", "f16"), ("gguf", "f32")])
def test_every_form_answers_as_measured(to: Any, stored: Any, arm: ArmOfRun, tmp_path: Path) -> None:
    done = export(arm, to, tmp_path / "out", gguf_type=stored, console=QUIET)
    assert done.parity is not None
    print(f"{to} {stored}: {done.parity.same} of {done.parity.total} answers alike, {done.parity.gap} nats a token")
    assert done.parity.same >= 0.9 * done.parity.total
    assert done.parity.gap is not None
    assert done.parity.gap < 0.1


def test_what_is_served_is_what_was_measured(run_in_16_bits: Path, preceptor: CommandLine, tmp_path: Path) -> None:
    with Server(tmp_path / "log", run_in_16_bits, arm="sft+dpo") as server:
        assert re.search(r"Checked: (\d+) of \1 labels and their probabilities are those of the study", server.said), (
            server.said
        )
        words = ("--run", run_in_16_bits, "--task", "urgency", "--arm", "sft+dpo")
        verified = preceptor.run("verify", server.url, *words)
    assert verified.code == 0, verified
    gap = re.search(r"Log-probabilities: (\S+) nats", verified.shown)
    assert gap, verified
    assert float(gap[1]) < 1e-4
    assert re.search(r"\b(\d+) of \1 labels and their probabilities are those", verified.shown), verified
