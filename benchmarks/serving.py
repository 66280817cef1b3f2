"""How many answers a second does a server give to eight clients, and to one? `python -m benchmarks.serving [--json]`

`preceptor serve` as users start it, of the untouched embedded model on held-out built-in cases: short answers (a label)
and long ones (a summary). The clients are in a process of their own, each on a connection of its own, and ask again as
soon as they are answered. One client and eight take turns; a row has the median of each. Every answer is compared with
the one the study kept.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import median
from urllib.parse import urlsplit

import yaml
from rich.console import Console

from preceptor.errors import PreceptorError
from preceptor.models import EMBEDDED, fetch_embedded
from preceptor.study import held_out, load_study, open_arm, run_study

CLIENTS = 8
TASKS = {"numeric_classification": 32, "summarization": 16}
"""Task -> how many held-out cases are asked in a turn."""
TURNS = 3
_PATIENCE = 300
"""Seconds until a server must answer."""


@dataclass(frozen=True)
class Row:
    """One line of the table: `ours` with eight clients, `peer` with one."""

    what: str
    case: str
    ours: float
    peer: float
    unit: str
    ratio: float
    bound: float | None
    holds: bool | None


def measure(task: str, cases: int, model: str, turns: int) -> list[Row]:
    """Run a study of the untouched model, serve it, and let clients ask its held-out cases."""
    with tempfile.TemporaryDirectory() as folder:
        requests, expected = _study(Path(folder), task, cases, model)
        with _serving(Path(folder), task) as url:
            found: dict[int, list[dict]] = {1: [], CLIENTS: []}
            for _ in range(turns):
                for clients, measured in found.items():
                    measured.append(_asked_by(clients, url, requests))
    texts = [
        [one == other for one, other in zip(turn["texts"], expected, strict=True)] for turn in found[1] + found[CLIENTS]
    ]
    alike = sum(map(sum, texts)) / sum(map(len, texts))
    rate = {n: median(len(requests) / turn["seconds"] for turn in measured) for n, measured in found.items()}
    slowest = {n: median(max(turn["waits"]) for turn in measured) for n, measured in found.items()}
    return [
        Row(
            f"{CLIENTS} clients over one",
            task,
            rate[CLIENTS],
            rate[1],
            "answers/s",
            rate[CLIENTS] / rate[1],
            None,
            None,
        ),
        Row("longest wait", task, slowest[CLIENTS], slowest[1], "s", slowest[CLIENTS] / slowest[1], None, None),
        Row("answers that are the study's", task, alike, 1.0, "of all", alike, 1.0, alike == 1.0),
    ]


def _study(folder: Path, task: str, cases: int, model: str) -> tuple[list[dict], list[str]]:
    """A finished study in `folder`/run: its held-out cases as requests, and what was answered."""
    limit = {"train": 8, "validation": 8, "test": cases}
    entry = {"task": task, "data": {"cases": 3000, "seed": 2}, "limit": limit}
    file = folder / "study.yaml"
    settings = {"name": "serving", "model": model, "arms": ["base"], "max_length": 512, "tasks": [entry]}
    file.write_text(yaml.safe_dump(settings))
    study, base = load_study(str(file))
    run_study(study, base, folder / "run", Console(stderr=True), command=f"preceptor study {file}")
    arm = open_arm(folder / "run", task, "base")
    requests = [{"fields": dict(example.fields)} for example in held_out(arm).splits.test]
    return requests, [one.text for one in arm.predictions]


@contextmanager
def _serving(folder: Path, task: str) -> Iterator[str]:
    """`preceptor serve` in a process of its own; its address."""
    words = ["serve", str(folder / "run"), "--task", task, "--arm", "base", "--port", "0"]
    command = [sys.executable, "-c", "from preceptor.cli import main; main()", *words]
    log = folder / "serve.log"
    with log.open("wb") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | {"COLUMNS": "1000"})
    try:
        end = time.monotonic() + _PATIENCE
        while "Ctrl-C ends it." not in log.read_text():
            if server.poll() is not None or time.monotonic() > end:
                raise PreceptorError(f"the server did not start: {log.read_text()}")
            time.sleep(0.1)
        words = log.read_text().split()
        yield words[words.index("at") + 1]
    finally:
        server.kill()
        server.wait()


def _asked_by(clients: int, url: str, requests: Sequence[dict]) -> dict:
    """Seconds of the whole, the wait for each answer, and its text; the clients are in another process."""
    command = [sys.executable, "-m", __spec__.name, "--ask", url, str(clients)]
    said = subprocess.run(command, input=json.dumps(requests), stdout=subprocess.PIPE, check=True, text=True).stdout
    return json.loads(said)


def _ask(url: str, clients: int, requests: Sequence[dict]) -> dict:
    """The clients: each takes the next request when its last is answered."""
    todo: SimpleQueue[int] = SimpleQueue()
    for number in range(len(requests)):
        todo.put(number)
    waits, texts = [0.0] * len(requests), [""] * len(requests)
    parts = urlsplit(url)

    def ask() -> None:
        connection = HTTPConnection(parts.hostname or "", parts.port)
        while True:
            try:
                number = todo.get_nowait()
            except Empty:
                return
            sent = time.perf_counter()
            connection.request("POST", f"{parts.path}/chat/completions", json.dumps(requests[number]))
            answer = json.loads(connection.getresponse().read())
            waits[number] = time.perf_counter() - sent
            texts[number] = answer["choices"][0]["message"]["content"]

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": time.perf_counter() - started, "waits": waits, "texts": texts}


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--json", action="store_true", help="rows for machines")
    words.add_argument("--turns", type=int, default=TURNS, help="how often one client and eight take turns")
    words.add_argument("--only", choices=TASKS, help="this task alone")
    words.add_argument("--model", default=EMBEDDED, help="a local model folder in place of the embedded model")
    words.add_argument("--cases", type=int, help="how many held-out cases are asked")
    words.add_argument("--ask", nargs=2, metavar=("URL", "CLIENTS"), help=argparse.SUPPRESS)
    told = words.parse_args()
    if told.ask:
        print(json.dumps(_ask(told.ask[0], int(told.ask[1]), json.load(sys.stdin))))
        return
    if told.model == EMBEDDED:
        fetch_embedded()
    rows = []
    for task, cases in TASKS.items():
        if told.only in (None, task):
            rows += measure(task, told.cases or cases, told.model, told.turns)
    print(json.dumps([asdict(row) for row in rows], indent=2) if told.json else _table(rows))


def _table(rows: Sequence[Row]) -> str:
    lines = [f"{'what':32}{'case':26}{f'{CLIENTS} clients':>12}{'one':>10}  {'unit':10}{'ratio':>7}  holds"]
    for row in rows:
        holds = "" if row.holds is None else "yes" if row.holds else "NO"
        lines.append(
            f"{row.what:32}{row.case:26}{row.ours:>12.3g}{row.peer:>10.3g}  {row.unit:10}{row.ratio:>7.2f}  {holds}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
