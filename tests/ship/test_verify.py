"""`preceptor verify` against real servers: the right model passes, each wrong one fails for the right reason.

The servers here can only write, and the study scored labels: the text that the measured model writes is compared.
`serving/test_clients.py` has our own server, which scores.
"""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import chat_stub
from child_process import start
from command_line import CommandLine, Outcome
from preceptor.ship._measured_model import MeasuredModel
from preceptor.study import ArmOfRun, held_out, open_arm
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.study_folder import write_study_folder
from ship.model_server import ModelServer, Settings, merged, serving

Ask = Any
BARE = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}assistant:"
"""A template that ends no turn."""


@pytest.fixture
def ask(preceptor: CommandLine, shipped_run: Path) -> Ask:
    def asked(server: ModelServer, *options: object, arm: str = "sft") -> Outcome:
        words = ("verify", server.url, "--run", shipped_run, "--task", "urgency", "--arm", arm, *options)
        return preceptor.run(*words)

    return asked


def settings(run: Path, arm: str = "sft", strength: float = 1.0, times: int = 1, **changes: Any) -> Settings:
    opened = open_arm(run, "urgency", arm)
    return Settings(merged(opened, strength=strength, times=times), opened.source.location, **changes)


def test_arms_differ_so_that_a_wrong_one_can_be_told(shipped_run: Path) -> None:
    base, sft = (written(open_arm(shipped_run, "urgency", arm)) for arm in ("base", "sft"))
    assert not set(base) & set(sft)
    assert set(sft) == {"urgent", "routine"}


def written(arm: ArmOfRun) -> list[str]:
    """What the arm's model writes to each held-out case."""
    return MeasuredModel(arm).answers(held_out(arm).test)


def test_the_merged_model_passes_asked_as_the_study_asks(ask: Ask, shipped_run: Path) -> None:
    arm = open_arm(shipped_run, "urgency", "sft")
    with serving(settings(shipped_run)) as server:
        outcome = ask(server)
    count = len(arm.predictions)
    same = f"{count} of {count} answers are the free text that the measured model writes; the study scored its labels"
    assert (outcome.code, same in outcome.shown) == (0, True)
    gap = re.search(r"Log-probabilities: (\S+) nats", outcome.shown)
    assert gap
    assert float(gap[1]) < 1e-4
    asked = server.settings.asked
    turns = [arm.task.messages(case) for case in held_out(arm).shown]
    assert sorted(json.dumps(one["messages"]) for one in asked) == sorted(map(json.dumps, [turns[0], *turns]))
    assert {(one["model"], one["temperature"], one["max_tokens"]) for one in asked} == {("tuned", 0, 6)}
    assert server.most_at_once > 1


def test_a_program_is_told_figures_and_no_text_unless_it_asks(ask: Ask, shipped_run: Path) -> None:
    with serving(settings(shipped_run)) as server:
        outcome = ask(server, "--json")
    found = json.loads(outcome.shown)
    count = len(open_arm(shipped_run, "urgency", "sft").predictions)
    assert (outcome.code, found["passed"], found["total"], found["same"]) == (0, True, count, count)
    assert (found["cause"], found["differences"], found["how"]) == (None, [], "text of scored labels")
    assert 0 <= found["gap"] < 1e-4
    assert "Passed at --threshold 1." in outcome.errors

    with serving(settings(shipped_run, "base")) as server:
        outcome, with_text = ask(server, "--json"), ask(server, "--json", "--with-text")
    found = json.loads(outcome.shown)
    assert (outcome.code, found["passed"], found["cause"]["kind"]) == (1, False, "adapter")
    assert len(found["differences"]) == count - found["same_texts"]
    assert {one["measured"] for one in found["differences"]} == {"urgent", "routine"}
    texts = written(open_arm(shipped_run, "urgency", "base"))
    served = {one["served"] for one in found["differences"]}
    assert not served & set(texts), "what could not be read is INVALID, not its text"
    assert {one["served"] for one in json.loads(with_text.shown)["differences"]} == set(texts)
    assert "FAILED" in outcome.errors


@pytest.mark.parametrize("told", [("usage", "logprobs"), ("usage",), ("refuses logprobs",)])
def test_a_missing_adapter_is_found_out(ask: Ask, shipped_run: Path, told: tuple[str, ...]) -> None:
    with serving(settings(shipped_run, "base", told=told)) as server:
        outcome = ask(server)
    assert outcome.code == 1
    assert "Likely cause: the adapter is not loaded" in outcome.shown
    assert "FAILED" in outcome.shown


@pytest.mark.parametrize(
    ("strength", "times", "why"),
    [(1.0, 2, "merged twice"), (0.5, 1, "alpha / rank, was left out"), (8.0, 1, "not divided by the rank")],
)
def test_a_wrongly_merged_adapter_is_found_out(
    ask: Ask, shipped_run: Path, strength: float, times: int, why: str
) -> None:
    with serving(settings(shipped_run, strength=strength, times=times)) as server:
        outcome = ask(server)
    assert outcome.code == 1
    assert "Likely cause: the adapter was merged wrongly" in outcome.shown
    assert why in outcome.shown


def test_a_wrong_merge_is_found_out_by_answers_alone(ask: Ask, shipped_run: Path) -> None:
    with serving(settings(shipped_run, strength=8.0, told=("usage",))) as server:
        outcome = ask(server)
    assert outcome.code == 1
    assert "not divided by the rank" in outcome.shown


def test_other_weights_are_no_matter_of_rounding(ask: Ask, shipped_run: Path) -> None:
    wrong = settings(shipped_run)
    with torch.no_grad():
        wrong.model.model.layers[0].mlp.down_proj.weight.mul_(-1)
    with serving(wrong) as server:
        outcome = ask(server)
    assert outcome.code == 1
    assert "Likely cause: the weights are not those of this arm" in outcome.shown


@pytest.mark.parametrize("told", [("usage", "logprobs"), ("usage",)])
def test_another_template_is_found_out(ask: Ask, shipped_run: Path, told: tuple[str, ...]) -> None:
    with serving(settings(shipped_run, template=BARE, told=told)) as server:
        outcome = ask(server)
    assert outcome.code == 1
    assert "the chat template is another one: each prompt has" in outcome.shown


def test_a_context_that_is_too_short_is_found_out(ask: Ask, shipped_run: Path) -> None:
    arm = open_arm(shipped_run, "urgency", "sft")
    longest = max(map(len, held_out(arm).test))
    with serving(settings(shipped_run, longest=longest - 1)) as server:
        outcome = ask(server)
    assert f"the server shortens prompts from {longest} tokens on" in outcome.shown


def test_a_stop_token_that_is_not_known_is_found_out(ask: Ask, shipped_run: Path) -> None:
    with serving(settings(shipped_run, stop=())) as server:
        outcome = ask(server)
    assert "Likely cause: the stop token is not known to the server" in outcome.shown
    assert "the served one goes on" in outcome.shown


def test_a_stop_word_that_should_not_be_there_is_found_out(ask: Ask, shipped_run: Path) -> None:
    with serving(settings(shipped_run, words=["ut", "rg"])) as server:
        outcome = ask(server)
    assert outcome.code == 1
    assert "Likely cause: the server stops too early" in outcome.shown
    assert "the served one ends" in outcome.shown


def test_sixteen_bits_are_rounding_and_nothing_else(ask: Ask, shipped_run: Path) -> None:
    rounded = settings(shipped_run)
    rounded.model.to(torch.bfloat16)
    with serving(rounded) as server:
        outcome = ask(server, "--threshold", "0.9")
    assert outcome.code == 0
    assert "Likely cause" not in outcome.shown or "the numbers are rounded otherwise" in outcome.shown


def test_another_arm_of_the_run_is_found_out(ask: Ask, shipped_run: Path) -> None:
    with serving(settings(shipped_run, "sft")) as server:
        outcome = ask(server, arm="sft+dpo")
    assert outcome.code == 1
    assert "the answers are those of sft, seed 0. Serve sft+dpo, seed 0." in outcome.shown


def test_texts_are_shown_only_when_asked_for(ask: Ask, shipped_run: Path) -> None:
    (text,) = set(written(open_arm(shipped_run, "urgency", "base")))
    with serving(settings(shipped_run, "base")) as server:
        plain, whole = ask(server, "--limit", "6"), ask(server, "--limit", "6", "--with-text")
    assert "0 of 6 answers" in plain.shown
    assert "text served" not in plain.shown
    assert "INVALID" in plain.shown
    assert repr(text).strip("'") in whole.shown


@pytest.mark.parametrize(
    ("changes", "options", "told"),
    [
        ({"names": ["one", "two"]}, (), "it serves 2 models. Name one with --model to one of one, two"),
        ({"names": []}, (), "it does not say which models it serves. Name one with --model."),
        ({}, ("--model", "other"), "it knows no model other. Set --model to one of tuned"),
        ({"token": "secret"}, (), "could not be asked (status 401)"),
        ({"token": "secret"}, (), "`preceptor verify --token-file` takes one"),
    ],
)
def test_what_cannot_be_asked_is_the_user_s_to_put_right(
    ask: Ask, shipped_run: Path, changes: dict[str, Any], options: tuple[str, ...], told: str
) -> None:
    with serving(settings(shipped_run, **changes)) as server:
        outcome = ask(server, *options)
    assert outcome.code == 2
    assert told in outcome.errors


def test_text_that_differs_from_the_scored_labels_is_no_mismatch(
    ask: Ask, shipped_run: Path, tmp_path: Path, preceptor: CommandLine
) -> None:
    """The base model writes no label at all, and the study says one for every case: it is the measured model all the
    same. A run of a version without scores, whose answers were written, is compared as it was.
    """
    base = open_arm(shipped_run, "urgency", "base")
    assert {one.answer for one in base.predictions} <= {"urgent", "routine"}
    shutil.copytree(shipped_run.parent, tmp_path / "moved")
    older = tmp_path / "moved" / "run"
    with serving(settings(shipped_run, "base")) as server:
        outcome = ask(server, arm="base")
        assert (outcome.code, "the study scored its labels" in outcome.shown) == (0, True)
        for texts in older.glob("cells/*/*/base/*/predictions.jsonl"):
            rows = [json.loads(line) for line in texts.read_text().splitlines()]
            told = zip(rows, written(base), strict=True)
            rows = [{"id": row["id"], "text": text, "answer": "INVALID", "score": 0.0} for row, text in told]
            texts.write_text("".join(json.dumps(row) + "\n" for row in rows))
            note = texts.with_name("cell.json")
            note.write_text(json.dumps({"key": json.loads(note.read_text())["key"], "evaluation_seconds": 1.0}))
        outcome = preceptor.run("verify", server.url, "--run", older, "--task", "urgency", "--arm", "base")
    count = len(base.predictions)
    assert (outcome.code, f"{count} of {count} answers are those of the study." in outcome.shown) == (0, True)


def test_a_token_is_read_from_a_file(ask: Ask, shipped_run: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "empty").write_text("\n")
    with serving(settings(shipped_run, token="secret")) as server:
        assert ask(server, "--token-file", tmp_path / "token", "--limit", "3").code == 0
        assert "it holds no token" in ask(server, "--token-file", tmp_path / "empty").errors
        assert "no token can be read" in ask(server, "--token-file", tmp_path / "none").errors


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_when_it_is_told_to_whatever_the_server_does(
    number: signal.Signals, code: int, shipped_run: Path
) -> None:
    over = threading.Event()

    def say(_: Any) -> str:
        if len(server.asked) > 1:
            over.wait(600)
        return "urgent"

    with chat_stub.serving(say, models=["tuned"]) as server:
        words = ["verify", server.settings.url, "--run", shipped_run, "--task", "urgency", "--arm", "sft"]
        program = "from preceptor.cli import main; main()"
        command = [sys.executable, "-c", program, *map(str, words)]
        with start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                while len(server.asked) < 1 + 8:  # so many at a time
                    assert process.poll() is None, process.communicate()[1]
                    time.sleep(0.05)
                process.send_signal(number)
                assert process.wait(timeout=60) == code
                assert "stopped; the same command continues from here" in process.communicate()[1]
            finally:
                over.set()
                process.kill()


def test_nothing_is_sent_to_another_machine(preceptor: CommandLine, shipped_run: Path) -> None:
    words = ("--run", shipped_run, "--task", "urgency", "--arm", "sft")
    outcome = preceptor.run("verify", "http://gpu7.example/v1", *words)
    assert outcome.code == 2
    assert "is on another machine, gpu7.example" in outcome.errors
    assert "--allow-host" in outcome.errors
    gone = preceptor.run("verify", "http://127.0.0.1:9/v1", *words)
    assert (gone.code, "no server answers" in gone.errors) == (2, True)


def test_without_the_data_there_is_nothing_to_ask(preceptor: CommandLine, shipped_run: Path, tmp_path: Path) -> None:
    shutil.copytree(shipped_run.parent, tmp_path / "moved")
    run = tmp_path / "moved" / "run"
    write_study_folder(RunFolder(run), tmp_path / "moved" / "own")
    (tmp_path / "moved" / "own" / "cases.csv").unlink()
    with serving(settings(shipped_run)) as server:
        outcome = preceptor.run("verify", server.url, "--run", run, "--task", "urgency", "--arm", "sft")
    assert (outcome.code, "cases.csv" in outcome.errors) == (2, True)
    assert server.settings.asked == []
