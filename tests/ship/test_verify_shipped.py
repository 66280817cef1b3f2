"""What `preceptor export` writes and `preceptor serve` serves passes `preceptor verify`."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from command_line import CommandLine, Outcome
from preceptor.ship import export
from preceptor.study import open_arm
from ship.model_server import Settings, serving
from ship.serving.process import TOKEN, Server

pytestmark = pytest.mark.slow
ARM = "sft+dpo"


def verified(preceptor: CommandLine, url: str, run: Path, *options: object) -> Outcome:
    return preceptor.run("verify", url, "--run", run, "--task", "urgency", "--arm", ARM, *options)


def test_what_is_served_is_what_was_measured(preceptor: CommandLine, shipped_run: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    options = ("--token-file", str(tmp_path / "token"))
    with Server(tmp_path / "log", shipped_run, *options, arm=ARM, token=TOKEN) as server:
        outcome = verified(preceptor, server.url, shipped_run, *options)
        other = preceptor.run(
            "verify", server.url, "--run", shipped_run, "--task", "urgency", "--arm", "base", *options
        )
    count = len(open_arm(shipped_run, "urgency", ARM).predictions)
    assert outcome.code == 0
    assert (
        f"{count} of {count} labels and their probabilities are those of the study. Log-probabilities: "
        in outcome.shown
    )
    assert other.code == 1
    assert f"another model of the run is served: the answers are those of {ARM}, seed 0" in other.shown


@pytest.mark.parametrize("to", ["merged", "gguf"])
def test_what_is_exported_is_what_was_measured(
    preceptor: CommandLine, shipped_run: Path, tmp_path: Path, to: str
) -> None:
    arm = open_arm(shipped_run, "urgency", ARM)
    folder = export(arm, to, tmp_path / to).folder
    named = {"gguf_file": "model.gguf"} if to == "gguf" else {}
    model = AutoModelForCausalLM.from_pretrained(folder, **named)
    with serving(Settings(model, arm.source.location)) as server:
        outcome = verified(preceptor, server.url, shipped_run)
    assert (outcome.code, "Likely cause" in outcome.shown) == (0, False)
