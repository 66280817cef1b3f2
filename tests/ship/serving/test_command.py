"""How `preceptor serve` starts, and what it refuses to start with."""

import json
import shutil
import signal
import socket
from pathlib import Path

import pytest

from command_line import CommandLine
from preceptor.files import read_jsonl, write_jsonl
from preceptor.study import open_arm
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.study_folder import write_study_folder
from ship.serving.process import TOKEN, Server


@pytest.fixture
def serve(preceptor: CommandLine, served_run: Path) -> list[object]:
    return ["serve", served_run, "--task", "urgency", "--arm", "sft"]


def test_it_says_what_it_serves_and_that_it_was_checked(server: Server, slow_server: Server) -> None:
    assert "Checked: 19 of 19 labels and their probabilities are those of the study." in server.said
    assert f"Serving tiny/urgency/sft/seed-0 at http://127.0.0.1:{server.port}/v1" in server.said
    assert "token.txt')\"" in slow_server.said


@pytest.mark.slow
def test_without_the_data_it_says_so_and_serves_until_ctrl_c(
    served_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(served_run, tmp_path / "run")
    write_study_folder(RunFolder(tmp_path / "run"), tmp_path / "gone")
    monkeypatch.setenv("PRECEPTOR_TOKEN", TOKEN)
    with Server(tmp_path / "log", tmp_path / "run", token=TOKEN) as server:
        assert "Not checked against the study" in server.said
        assert "Bearer $PRECEPTOR_TOKEN" in server.said
        assert TOKEN not in server.said
        status, _, _ = server.ask("POST", "/v1/chat/completions", json.dumps({"fields": {"note": "Ear wax."}}))
        assert status == 200
        assert server.stop() == 130


@pytest.mark.slow
def test_it_ends_with_sigterm_as_with_ctrl_c(served_run: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "log", served_run) as server:
        assert server.ask("GET", "/health")[0] == 200
        assert server.stop(signal.SIGTERM) == 143
        assert server.said.splitlines()[-1] == "stopped; the same command continues from here"
        assert "Traceback" not in server.said


@pytest.mark.slow
def test_another_model_than_the_measured_one_is_not_served(
    preceptor: CommandLine, served_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(served_run, tmp_path / "run")
    file = open_arm(tmp_path / "run", "urgency", "sft").predictions_file
    rows = list(read_jsonl(file))
    other = {"urgent": "routine", "routine": "urgent"}
    write_jsonl(file, [row | {"text": other[row["text"]], "answer": other[row["answer"]]} for row in rows])
    done = preceptor.run("serve", tmp_path / "run", "--task", "urgency", "--arm", "sft", "--port", "0")
    assert done.code == 1
    assert "Checked: 0 of 19 labels and their probabilities are those of the study" in done.shown
    assert "not the model that was measured" in done.errors


def test_unknown_names_and_a_taken_port_are_told(preceptor: CommandLine, served_run: Path) -> None:
    done = preceptor.run("serve", served_run, "--task", "urgent", "--arm", "tfidf")
    assert done.code == 2
    assert "Name one of urgency, letter" in done.errors
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = preceptor.run("serve", served_run, "--task", "urgency", "--arm", "sft", "--port", port)
    assert done.code == 2
    assert f"127.0.0.1:{port} cannot be used" in done.errors


def test_other_machines_need_tls_and_a_token(preceptor: CommandLine, serve: list[object], tmp_path: Path) -> None:
    from preceptor.web.tls import self_signed

    outside = next((str(a[4][0]) for a in socket.getaddrinfo(socket.gethostname(), 0, socket.AF_INET)), "127.0.0.1")
    if outside.startswith("127."):
        pytest.skip("this machine has no address but its own")
    done = preceptor.run(*serve, "--host", outside)
    assert done.code == 2
    assert "could be read on the way" in done.errors
    tls = self_signed(outside, tmp_path)
    done = preceptor.run(*serve, "--host", outside, "--port", 0, "--certificate", tls.certificate)
    assert done.code == 2
    assert "Give both, or none" in done.errors
    done = preceptor.run(*serve, "--host", outside, "--port", 0, "--certificate", tls.certificate, "--key", tls.key)
    assert done.code == 2
    assert "Give --token-file" in done.errors


@pytest.mark.parametrize("content", [b"", b"short", b"two words of a long sentence", b"\xff" * 40])
def test_a_token_that_is_none_is_told_without_showing_it(
    content: bytes, preceptor: CommandLine, serve: list[object], tmp_path: Path
) -> None:
    (tmp_path / "token").write_bytes(content)
    done = preceptor.run(*serve, "--token-file", tmp_path / "token")
    assert done.code == 2
    assert str(tmp_path / "token") in done.errors.replace(" ", "")
    assert "sentence" not in done.errors
    assert preceptor.run(*serve, "--token-file", tmp_path / "nothing").code == 2
