"""Every command that the documentation shows is one that exists, and those of its blocks are run, in a small world.

In that world the embedded model is the tiny one, `notes.csv` holds made-up visits, and `runs/notes` is what the
README's commands made of them. What takes a cluster or a second process is run by tests that are named.
"""

import ast
import csv
import importlib
import os
import random
import re
import shutil
import signal
import socket
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from docs_commands import OTHERS, PAGES, ROOT, Block, blocks, program, spans
from preceptor.cli import app, main
from preceptor.models import EMBEDDED, EMBEDDED_MODELS
from preceptor.preferences.labelling import Store, Vote
from preceptor.web.tls import self_signed
from prediction_files import label_rows, write_rows

BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.is_shell]
SHOWN = [(block.where, program(words)) for block in SHELL for words in block.commands()]
NAMED = [(where, program(words)) for page in PAGES for where, words in spans(page)]
RUN = [block for block in SHELL if any(program(words)[0] == "preceptor" for words in block.commands())]
COMMANDS: Any = typer.main.get_command(app)
(UsageError,) = typer.BadParameter.__bases__  # typer has it under this name alone

DATA = Path(os.environ.get("PRECEPTOR_DATA", ROOT / "../shared/data"))
SERVERS = ("label", "serve")
LABELS = ["never", "former", "current"]


FIVE_TASKS = """
name: five-tasks
arms: [base, sft, sft+dpo]
sft: {epochs: 1}
tasks:
  - task: triage_urgency
    data: {cases: 300}
    limit: {train: 40, validation: 10, test: 24}
  - task: summarization
    data: {cases: 300}
    limit: {train: 24, validation: 8, test: 20}
"""


def test_the_pages_show_commands_and_each_of_ours_is_shown() -> None:
    assert len(RUN) >= 8
    shown = {words[1] for _, words in [*SHOWN, *NAMED] if words[0] == "preceptor" and len(words) > 1}
    assert set(COMMANDS.commands) <= shown


@pytest.mark.parametrize(("where", "words"), SHOWN, ids=[where for where, _ in SHOWN])
def test_a_command_of_a_block_is_one_that_exists(where: str, words: list[str]) -> None:
    check(words, whole=not any(map(is_placeholder, words)))


@pytest.mark.parametrize(("where", "words"), NAMED, ids=[where for where, _ in NAMED])
def test_a_command_that_is_named_exists(where: str, words: list[str]) -> None:
    check(words, whole=False)


def test_what_python_imports_of_ours_is_there() -> None:
    for block in BLOCKS:
        for node in ast.walk(ast.parse(block.text)) if block.language == "python" else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("preceptor"):
                module = importlib.import_module(str(node.module))
                assert [name.name for name in node.names if not hasattr(module, name.name)] == [], block.where


def check(words: list[str], *, whole: bool) -> None:
    """Fails for a program, a command, an option, a target, a module or an extra that there is not."""
    match words:
        case ["preceptor", name, *rest]:
            parse(name, rest, whole=whole)
        case ["make", *targets]:
            known = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(targets) <= set(known)
        case ["python", "-m", "preceptor", *rest]:
            check(["preceptor", *rest], whole=whole)
        case ["python", "-m", "venv", _]:
            pass
        case ["python", script, *_] if script.endswith(".py"):
            assert script in OTHERS or (ROOT / script).is_file()
        case ["python", "-m", module, *rest]:
            source = options_of(module)
            assert [word for word in rest if word.startswith("--") and f'"{word}"' not in source] == []
        case ["python", "-c", code]:
            exec(compile(code, "docs", "exec"), {})
        case ["pip", "install" | "download", *rest]:
            extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            asked = re.findall(r"\.(?:whl)?\[([\w,]+)\]", " ".join(rest))
            assert {name for names in asked for name in names.split(",")} <= set(extras)
        case [first, *_]:
            ours = ROOT / first
            assert first in (*OTHERS, "preceptor") or os.access(ours, os.X_OK), f"what is {first}?"


def options_of(module: str) -> str:
    """The source where its options stand: its own, and the one that reads the command line of several benchmarks."""
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
    shared = "from benchmarks._arguments import" in source
    return source + ((ROOT / "benchmarks" / "_arguments.py").read_text() if shared else "")


def parse(name: str, words: list[str], *, whole: bool) -> dict[str, Any]:
    """What the command line makes of it; where it is only named, that its options are there."""
    if name.startswith("-"):
        return {}
    assert name in COMMANDS.commands, f"preceptor has no command {name}"
    command = COMMANDS.commands[name]
    given = [word.strip("[]").split("=")[0] for word in words]
    options = {option for one in command.params for option in one.opts}
    assert [word for word in given if word.startswith("--") and word not in options] == []
    try:
        parsed: dict[str, Any] = command.make_context(name, list(words)).params
    except UsageError as error:
        only_named = type(error).__name__ == "MissingParameter" or any(map(is_placeholder, words))
        if whole or not only_named:
            raise
        return {}
    return parsed


def is_placeholder(word: str) -> bool:
    """`RUN`, `[STUDY]`, `a|b` and `...` stand for what the reader puts there."""
    return bool(re.fullmatch(r"\[.*|.*\]|[A-Z]+|\.\.\.|.*\|.*", word))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Iterator[Path]:
    """A folder in which the README's commands were just run, and a cache whose embedded model is the tiny one."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("XDG_DATA_HOME", str(home / "data"))
        EMBEDDED_MODELS[EMBEDDED].location.parent.mkdir(parents=True)
        shutil.copytree(tiny_model_folder, EMBEDDED_MODELS[EMBEDDED].location)
        write_notes(folder / "notes.csv")
        own_data = next(block for block in RUN if "preceptor new notes.csv" in block.text)
        for words in own_data.commands():
            if words[0] == "preceptor":
                assert call(folder, words[1:]) == 0
        yield folder


@pytest.fixture(scope="module")
def five_tasks(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a short form of `five-tasks` that takes seconds."""
    folder = tmp_path_factory.mktemp("five-tasks")
    (folder / "small.yaml").write_text(FIVE_TASKS)
    assert call(folder, ["study", "small.yaml", "--output-dir", "run"]) == 0
    return folder / "run"


@pytest.mark.slow
@pytest.mark.parametrize("block", RUN, ids=lambda block: block.where)
def test_the_commands_of_a_block_run(
    block: Block,
    world: Path,
    five_tasks: Path,
    tmp_path: Path,
    tiny_model_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder: Path = shutil.copytree(world, tmp_path / "world", symlinks=True)
    monkeypatch.setattr(socket, "getaddrinfo", at_home(socket.getaddrinfo))
    for words in map(program, block.commands()):
        if words[0] != "preceptor" or any(map(is_placeholder, words)):
            continue
        if tests := run_by(words):
            ran = [test for test in ROOT.glob(tests) if f'"{words[1]}"' in test.read_text()]
            assert ran, f"no test of {tests} runs preceptor {words[1]}"
            continue
        provide(folder, parse(words[1], words[2:], whole=True), words, tiny_model_folder, five_tasks)
        assert call(folder, words[1:]) in (0, 143 if words[1] in SERVERS else 0), words


def run_by(words: list[str]) -> str | None:
    """Which tests run a command of this kind where this world is too small for it."""
    if "--on" in words:
        return "tests/study/test_on_ray.py"
    if words[1] == "verify":  # of a server that runs meanwhile
        return "tests/ship/**/test_*.py"
    return None


def provide(folder: Path, given: dict[str, Any], words: list[str], model: Path, five_tasks: Path) -> None:
    """What the page takes for granted: a model, a run, a round, a certificate, no file where one will be written."""
    name = words[1]
    if name == "new":
        for file in folder.glob("notes.*.yaml"):
            file.unlink()
    if name == "convert":
        (folder / given["target"]).unlink(missing_ok=True)
    if given.get("model") and "/" in given["model"] and not (folder / given["model"]).exists():
        shutil.copytree(model, folder / given["model"])
    if name == "label" and not given["gold"]:
        learn_to_answer(folder)
    if given.get("token_file"):
        (folder / given["token_file"]).write_text("0123456789abcdef" * 4)
        (folder / given["token_file"]).chmod(0o600)
    for word in words:
        path = folder / word
        if word.startswith("examples/") and not path.exists():
            if not DATA.is_dir():
                pytest.skip(f"the public data sets are not at {DATA} (set PRECEPTOR_DATA)")
            shutil.copytree(ROOT / "examples", folder / "examples")
            (folder.parent / "shared").mkdir()
            (folder.parent / "shared" / "data").symlink_to(DATA.resolve())
        if word.startswith("runs/five-tasks") and not path.exists():
            shutil.copytree(five_tasks, path)
        if word.endswith(".sqlite") and not path.exists():
            learn_to_answer(folder)
            assert call(folder, ["label", "notes.study.yaml"]) in (0, 143)
            vote(path)
        if word.endswith(".pem"):
            made = self_signed(words[words.index("--host") + 1], folder / "made.tls")
            shutil.copy(made.certificate, path)
            shutil.copy(made.key, path.with_suffix(".key"))
        if word in ("sft.jsonl", "base.jsonl"):
            write_rows(path, label_rows(0.9 if word == "sft.jsonl" else 0.6))
        if word == "gold.csv":
            path.write_text("id,gold\n" + "".join(f"{row['id']},{row['gold']}\n" for row in label_rows(1.0)))
        if word == "cases.csv":
            rows = list(csv.DictReader((folder / "notes.csv").open(encoding="utf-8")))
            cases = [f"{n},{row['smoking']},{row['patient_id']}\n" for n, row in enumerate(rows, 2)]
            path.write_text("id,gold,group\n" + "".join(cases))
        if word.startswith("runs/notes-mine") and not path.exists():
            shutil.copytree(next((folder / "runs/notes/cells/notes").iterdir()), path.parents[2])
        if word in ("chats.jsonl", "study.yaml"):
            shutil.copytree(ROOT / "examples" / "leaving_a_service", folder, dirs_exist_ok=True)
        if word == "study.yaml":
            join_the_service_s_files(folder)
        if word == "labelled.json":
            path.write_text('[{"instruction": "Smokes?", "input": "Never.", "chosen": "never", "rejected": "current"}]')


def join_the_service_s_files(folder: Path) -> None:
    """`cases.jsonl` of the chats and preferences in `folder`, as docs/LEAVING_A_SERVICE.md makes it."""
    made = {"chats.jsonl": folder / "examples.jsonl", "preferences.jsonl": folder / "pairs.jsonl"}
    for source, target in made.items():
        assert call(folder, ["convert", source, target.name, "--overwrite"]) == 0
    (folder / "cases.jsonl").write_text("".join(target.read_text() for target in made.values()))


def call(folder: Path, words: list[str]) -> int:
    """`preceptor` with these words in this folder: how it ended. What asks is told yes, what serves is ended."""
    asked = [*words, "--yes"] if words[0] == "purge" and "--yes" not in words else words
    with pytest.MonkeyPatch.context() as patch, ended_when_it_serves(words[0]) as port:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["preceptor", *asked, *(["--port", str(port)] if port else [])])
        try:
            main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


@contextmanager
def ended_when_it_serves(name: str) -> Iterator[int | None]:
    """A free port, if the command is a server: as soon as somebody answers there, it is told to end."""
    if name not in SERVERS:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            with socket.socket() as asking:
                if asking.connect_ex(("127.0.0.1", port)) == 0:
                    time.sleep(0.2)
                    os.kill(os.getpid(), signal.SIGTERM)  # a shell's background jobs ignore SIGINT
                    return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield port
    finally:
        over.set()
        watching.join()


def at_home(resolve: Any) -> Any:
    """Names of a reader's own machines are this one."""

    def resolved(host: Any, *rest: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if str(host).endswith((".org", ".example")) else host, *rest, **more)

    return resolved


def learn_to_answer(folder: Path) -> None:
    """Raters compare answers that can be read; so small a model gives some only when all its weights are tuned."""
    file = folder / "notes.study.yaml"
    study = yaml.safe_load(file.read_text())
    to_write = {"label_token_weight": 1.0}  # it learns to choose a label sooner than to write one
    study |= {"adapter": "none", "sft": {"learning_rate": 0.003, "epochs": 20, "patience": 20, **to_write}}
    file.write_text(yaml.safe_dump(study, sort_keys=False))


def vote(path: Path) -> None:
    """One rater prefers the first answer to every case."""
    store = Store.open(path)
    rater = next(one for one in store.raters() if one.role == "rater")
    for item in store.items():
        store.record(Vote(item.id, rater.name, "a"))
    store.close()


def write_notes(path: Path) -> None:
    """A table as the README has it: 96 visits of 80 patients, with so many wrong labels that a model stays in doubt."""
    rng = random.Random(0)
    said = {"never": "Has never smoked", "former": "Stopped smoking in 2019", "current": "Smokes ten a day"}
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["patient_id", "visit_date", "note", "smoking"])
        for n in range(96):
            label = LABELS[n % 3]
            note = f"Seen in clinic. {said[label]}. Blood pressure {120 + n}/90, weight {60 + n % 40} kg."
            out.writerow([f"P{n % 80:03}", f"2024-05-{n % 28 + 1:02}", note, rng.choice([label, *LABELS])])
