"""What a tracker is told while a stage trains, read back from what it kept."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from engine.families import make_pairs, new_model
from engine.trl_trainers import dpo_trainer, sft_trainer
from preceptor.engine import (
    DPOSettings,
    Numerics,
    SFTSettings,
    Tracker,
    Tracking,
    find_tracker,
    run_dpo,
    run_sft,
    tell_once,
)
from preceptor.models import Encoded, Policy

NUMERICS = Numerics(threads=1)
SFT = SFTSettings(epochs=1, batch_size=4, looks_per_epoch=3)
TRAIN = [Encoded([5, 6, 7 + i], [9, 10, 3 + i]) for i in range(12)]
RUN = "urgency/SFT/seed-0/0123"


def told_to(name: str, folder: Path) -> Tracking:
    return Tracking(Tracker(name=name), folder / "trackers", "notes", RUN)


def train(policy: Policy, folder: Path, tracking: Tracking | None, **changes: Any) -> list[dict[str, float]]:
    numerics = NUMERICS
    return run_sft(policy, TRAIN, TRAIN[:4], SFT, numerics, folder / "c", seed=0, tracking=tracking, **changes).history


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a tracker sets in the environment is taken back."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_events_hold_each_steps_figures_under_transformers_names(make_policy: Any, tmp_path: Path) -> None:
    history = train(make_policy(), tmp_path, told_to("tensorboard", tmp_path))
    read = scalars(tmp_path / "trackers" / "tensorboard" / RUN)
    for ours, theirs in {"loss": "train/loss", "grad_norm": "train/grad_norm", "eval_loss": "eval/loss"}.items():
        expected = [(row["step"], row[ours]) for row in history if ours in row]
        assert len(expected) == 3
        assert read[theirs] == [(step, pytest.approx(value)) for step, value in expected]
    assert (tmp_path / "trackers").stat().st_mode & 0o077 == 0


def test_telling_changes_nothing(make_policy: Any, tmp_path: Path) -> None:
    silent, followed = make_policy(), make_policy()
    train(silent, tmp_path / "a", None)
    train(followed, tmp_path / "b", told_to("tensorboard", tmp_path))
    for mine, other in zip(silent.model.parameters(), followed.model.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_a_run_that_was_killed_and_goes_on_tells_each_step_once(
    make_policy: Any, tmp_path: Path, cut_after: type[Any]
) -> None:
    whole = train(make_policy(), tmp_path / "whole", None)
    tracking = told_to("tensorboard", tmp_path)
    cut = cut_after(3)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the cut raises
        train(make_policy(), tmp_path / "cut", tracking, advance=cut)
    train(make_policy(), tmp_path / "cut", tracking)
    read = scalars(tmp_path / "trackers" / "tensorboard" / RUN)["train/loss"]
    assert read == [(row["step"], pytest.approx(row["loss"], abs=1e-5)) for row in whole if "loss" in row]


def test_the_weights_it_starts_from_are_told_as_step_0_and_what_follows_once(
    make_policy: Any, tmp_path: Path, cut_after: type[Any]
) -> None:
    settings = SFT.model_copy(update={"looks_per_epoch": 1})
    given = {"settings": settings, "numerics": NUMERICS, "seed": 0, "goes_on": True}
    tracking = told_to("tensorboard", tmp_path)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the cut raises
        run_sft(
            make_policy(), TRAIN, TRAIN[:4], folder=tmp_path / "c", tracking=tracking, advance=cut_after(2), **given
        )
    history = run_sft(make_policy(), TRAIN, TRAIN[:4], folder=tmp_path / "c", tracking=tracking, **given).history
    read = scalars(tmp_path / "trackers" / "tensorboard" / RUN)
    assert [step for step, _ in read["train/loss"]] == [1, 2, 3]
    assert [step for step, _ in read["eval/loss"]] == [row["step"] for row in history if "eval_loss" in row] == [0, 3]


def test_what_is_finished_is_told_once_with_settings_figures_and_words(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tracking = told_to("tensorboard", tmp_path).of("results/urgency/sft+dpo/seed-0")
    tell_once(tracking, {"arm": "sft+dpo", "seed": 0}, {"macro_f1": 0.5, "cost/flops": 1e12}, {"verdict": "Better."})
    events = EventAccumulator(str(tmp_path / "trackers" / "tensorboard" / tracking.run))
    events.Reload()
    read = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
    assert read == {"macro_f1": 0.5, "cost/flops": pytest.approx(1e12)}
    (text,) = events.Tensors("verdict/text_summary")
    assert text.tensor_proto.string_val == [b"Better."]
    assert b"sft+dpo" in events.PluginTagToContent("hparams")["_hparams_/session_start_info"]


@pytest.mark.filterwarnings("ignore::FutureWarning:transformers.*")
def test_figures_have_trls_names(make_policy: Any, tmp_path: Path) -> None:
    pairs = make_pairs(4)
    dpo = DPOSettings(batch_size=4, beta=0.1)
    stage = run_dpo(make_policy(), pairs, pairs, dpo, NUMERICS, tmp_path / "ours", seed=0)
    ours = {"eval_loss", "eval_pair_accuracy"}
    theirs = dpo_trainer(new_model("llama"), pairs, dpo, tmp_path / "trl")
    theirs.train()
    assert (
        {"rewards/margins", "rewards/accuracies", "loss", "grad_norm", "eval_rewards/chosen", "eval_logps/rejected"}
        <= named(stage.history)
        <= named(theirs.state.log_history) | {f"eval_{name}" for name in named(theirs.state.log_history)} | ours
    )
    examples = [Encoded(pair.prompt, pair.chosen) for pair in pairs]
    sft = sft_trainer(new_model("llama"), examples, SFT, tmp_path / "trl-sft")
    sft.train()
    assert named(train(make_policy(), tmp_path / "sft", None)) <= named(sft.state.log_history) | {"eval_loss"}


def named(history: list[dict[str, float]]) -> set[str]:
    return {name for row in history for name in row}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "comet"}, "tensorboard"),
        ({"name": "tensorboard", "url": "http://127.0.0.1:6006"}, "has no url"),
        ({"name": "wandb", "url": "https://api.wandb.ai"}, "has no url"),
        ({"name": "mlflow", "url": "http://tracking.hospital.example:5000"}, "another machine, tracking.hospital"),
        ({"name": "mlflow", "url": "http://one.example", "allow_host": "two.example"}, "another machine"),
        ({"name": "mlflow", "url": "http://me:secret@127.0.0.1"}, "a password"),
        ({"name": "mlflow", "url": "ftp://127.0.0.1"}, "must look like"),
        ({"name": "mlflow", "url": "http://[::1"}, "cannot be read"),
    ],
)
def test_a_tracker_that_would_send_elsewhere_is_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Tracker(**settings)


def test_a_server_is_taken_on_this_machine_and_where_it_is_named() -> None:
    for url in ("http://127.0.0.1:5000", "http://localhost:5000", "http://[::1]:5000"):
        assert Tracker(name="mlflow", url=url).allow_host is None
    host = "tracking.hospital.example"
    assert Tracker(name="mlflow", url=f"https://{host}", allow_host=host).url == f"https://{host}"


def test_what_stands_in_the_way_is_found_before_anything_is_trained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert find_tracker(Tracker(name="tensorboard")) == []
    monkeypatch.setenv("HF_MLFLOW_LOG_ARTIFACTS", "1")
    monkeypatch.setenv("WANDB_LOG_MODEL", "checkpoint")
    monkeypatch.setenv("MLFLOW_RUN_ID", "0123")
    mlflow = "\n".join(map(str, find_tracker(Tracker(name="mlflow", url="http://127.0.0.1:9"))))
    for said in ("HF_MLFLOW_LOG_ARTIFACTS would hand it the model", "MLFLOW_RUN_ID", "no MLflow server answers"):
        assert said in mlflow
    assert "WANDB_LOG_MODEL would hand it the model" in str(find_tracker(Tracker(name="wandb"))[-1])
    (tmp_path / "wandb").mkdir()  # as wandb itself leaves one: a folder is no package
    metadata = importlib.metadata.distribution("preceptor").read_text("METADATA")
    (tmp_path / "preceptor-0.dist-info").mkdir()
    (tmp_path / "preceptor-0.dist-info" / "METADATA").write_text(metadata or "")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert "pip install 'wandb>=" in str(find_tracker(Tracker(name="wandb"))[0])


@pytest.mark.slow
def test_mlflow_is_told_and_nothing_is_sent(environment: None, make_policy: Any, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    import sqlite3

    history = train(make_policy(), tmp_path, told_to("mlflow", tmp_path))
    tell_once(told_to("mlflow", tmp_path).of("results"), {"arm": "sft+dpo"}, {"f1@all": 0.5}, {"u/verdict": "Better."})
    with sqlite3.connect(tmp_path / "trackers" / "mlflow.db") as kept:
        losses = kept.execute("select step, value from metrics where key = 'loss' order by step").fetchall()
        assert losses == [(row["step"], pytest.approx(row["loss"])) for row in history if "loss" in row]
        runs = kept.execute("select name, status from runs").fetchall()
        assert sorted(runs) == [("results", "FINISHED"), (RUN, "FINISHED")]
        assert ("f1_all", 0.5) in kept.execute("select key, value from metrics").fetchall()
        assert ("u/verdict", "Better.") in kept.execute("select key, value from tags").fetchall()


_OFFLINE = """
import json, sys
tried = []
def watch(event, arguments):
    if event in {"socket.getaddrinfo", "socket.sendto"} or (
        event == "socket.connect" and isinstance(arguments[1], tuple)  # a path is a socket of this machine
    ):
        tried.append([event, str(arguments[1:])])
sys.addaudithook(watch)
from pathlib import Path
from preceptor.engine import Tracker, Tracking, tell_once
tracking = Tracking(Tracker(name=sys.argv[1]), Path(sys.argv[2]), "notes", "results")
tell_once(tracking, {"arm": "sft"}, {"macro_f1": 0.5}, {"verdict": "Better."})
print(json.dumps(tried))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_no_tracker_reaches_for_the_network(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    words = [sys.executable, "-c", _OFFLINE, name, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.slow
def test_wandb_is_told_offline(environment: None, make_policy: Any, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    train(make_policy(), tmp_path, told_to("wandb", tmp_path))
    (kept,) = (tmp_path / "trackers" / "wandb").glob("offline-run-*/run-*.wandb")
    told = kept.read_bytes()
    for name in (b"train/loss", b"eval/loss", b"train/grad_norm"):
        assert name in told
