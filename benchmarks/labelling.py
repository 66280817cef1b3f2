"""How many clinicians can the labelling page serve? `python -m benchmarks.labelling [--json]`

A server as `preceptor label` starts it, in a process of its own; raters in another, each on a connection of their own.
Every rater votes once a second, at a moment of the second of their own, and loads the next case, as the page does. In a
row, `ours` is a time in milliseconds from a click to the server's acknowledgement, which it gives when the vote is on
the disk. Then the rate goes up until a bound breaks. After each run the store is read: each acknowledged vote must be
there once.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from rich.console import Console

from preceptor.errors import PreceptorError
from preceptor.preferences.labelling import Answer, Item, Store, serve
from preceptor.web.door import open_door

RATERS, SECONDS = 50, 60
MEDIAN, SLOWEST = 50.0, 300.0
"""Milliseconds: of half the votes, and of 99 in 100."""
STEP_SECONDS = 15
STEPS = (75, 100, 125, 150, 175, 200, 250, 300)
"""Raters, at a vote a second each, that are tried one after another."""

_HIDDEN = re.compile(r'name="(id|position|repeat)" value="(\w+)"')
_NOTE = "Seen with two days of cough and fever. Chest clear, saturation 96%, respiratory rate 18. " * 20


@dataclass(frozen=True)
class Row:
    """One line of the table; `holds` says whether `ours` keeps to `bound`."""

    what: str
    case: str
    ours: float
    peer: None
    unit: str
    ratio: None
    bound: float | None
    holds: bool | None


@dataclass(frozen=True)
class Measured:
    """Milliseconds of each acknowledged vote and of each page after it, and how many votes a second there were."""

    votes: list[float]
    pages: list[float]
    rate: float

    @property
    def holds(self) -> bool:
        """Whether half of the votes, and 99 in 100, were acknowledged in time."""
        return quantile(self.votes, 0.5) < MEDIAN and quantile(self.votes, 0.99) < SLOWEST


def quantile(times: Sequence[float], share: float) -> float:
    """The time within which this share of `times` lies."""
    return sorted(times)[min(int(share * len(times)), len(times) - 1)]


def measure(raters: int, seconds: int) -> Measured:
    """Serve a round and let `raters` vote for `seconds`. PreceptorError when a vote was lost or doubled."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels" / "load.sqlite"
        store = Store.create(path, _items(raters * (seconds + 5) // 2 + raters), title="Load", repeat_share=0.1)
        tokens = [store.add_rater(f"rater {number}") for number in range(raters)]
        store.close()
        server = subprocess.Popen([sys.executable, "-m", __spec__.name, "--serve", str(path)], stdout=subprocess.PIPE)
        try:
            assert server.stdout
            url = server.stdout.readline().decode().strip()
            client = [sys.executable, "-m", __spec__.name, "--ask", url, str(seconds)]
            said = subprocess.run(client, input="\n".join(tokens), stdout=subprocess.PIPE, check=True, text=True).stdout
        finally:
            server.kill()
            server.wait()
        found = json.loads(said)
        stored = [vote.id for vote in Store.open(path).votes(effective=False)]
    if sorted(stored) != sorted(found["ids"]):
        raise PreceptorError(f"{len(found['ids'])} votes were acknowledged, and the store holds {len(stored)}")
    return Measured(found["votes"], found["pages"], len(stored) / seconds)


def _items(count: int) -> list[Item]:
    """Cases of 1,800 characters with two answers of 300 that differ."""
    answers = (
        Answer("Viral infection of the airways; fluids. " * 8, "a"),
        Answer("Pneumonia; amoxicillin. " * 12, "b"),
    )
    return [
        Item(f"i{n}", "pair", f"c{n}", f"P{n}", (("note", f"{n} {_NOTE}"),), "Which?", answers) for n in range(count)
    ]


async def _ask(url: str, tokens: Sequence[str], seconds: int) -> dict[str, list[float] | list[str]]:
    """All raters at once; the ids of acknowledged votes, and the times they and the pages took."""
    found: dict[str, list] = {"ids": [], "votes": [], "pages": []}
    start = time.perf_counter() + 2
    await asyncio.gather(
        *(_rate(url, token, start + at / len(tokens), seconds, found) for at, token in enumerate(tokens))
    )
    return found


async def _rate(url: str, token: str, start: float, seconds: int, found: dict[str, list]) -> None:
    browser = await _Browser.open(url)
    await browser.ask("GET", f"/r/{token}")
    page = (await browser.ask("GET", "/"))[1]
    for turn in range(seconds):
        await asyncio.sleep(max(start + turn - time.perf_counter(), 0))
        fields = dict(_HIDDEN.findall(page.split('action="/undo"')[0]))
        clicked = time.perf_counter()
        status, said = await browser.ask("POST", "/vote", urlencode({**fields, "choice": "left", "seconds": "1"}))
        acknowledged = time.perf_counter()
        assert status == HTTPStatus.SEE_OTHER, said
        page = (await browser.ask("GET", "/"))[1]
        found["ids"].append(fields["id"])
        found["votes"].append(1000 * (acknowledged - clicked))
        found["pages"].append(1000 * (time.perf_counter() - acknowledged))
    browser.writer.close()


@dataclass
class _Browser:
    """One connection that is kept, with a cookie. By hand, because a whole HTTP client costs more than the server."""

    host: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    cookie: str = ""

    @classmethod
    async def open(cls, url: str) -> "_Browser":
        host = url.removeprefix("http://")
        name, port = host.split(":")
        return cls(host, *await asyncio.open_connection(name, int(port)))

    async def ask(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        """Status and body of the answer."""
        kind = f"content-type: application/x-www-form-urlencoded\r\ncontent-length: {len(body)}\r\n" if body else ""
        own = f"host: {self.host}\r\norigin: http://{self.host}\r\ncookie: {self.cookie}\r\n"
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{own}{kind}\r\n{body}".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        if cookie := re.search(r"set-cookie: ([^;]+)", head):
            self.cookie = cookie[1]
        length = int(re.search(r"content-length: (\d+)", head)[1])
        return int(head.split()[1]), (await self.reader.readexactly(length)).decode()


def rows_of(raters: int, found: Measured) -> list[Row]:
    """What the target is about."""
    case = f"{raters} raters, a vote a second"
    median, slowest = quantile(found.votes, 0.5), quantile(found.votes, 0.99)
    return [
        Row("vote acknowledged, median", case, median, None, "ms", None, MEDIAN, median < MEDIAN),
        Row("vote acknowledged, 99 in 100", case, slowest, None, "ms", None, SLOWEST, slowest < SLOWEST),
        Row("next case, median", case, quantile(found.pages, 0.5), None, "ms", None, None, None),
        Row("next case, 99 in 100", case, quantile(found.pages, 0.99), None, "ms", None, None, None),
    ]


def main() -> None:
    """Measure the target, then how far it goes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of the first run")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ask", nargs=2, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.serve:
        door = open_door(port=0)
        print(door.url, flush=True)
        serve(Store.open(told.serve), door)
    elif told.ask:
        print(json.dumps(asyncio.run(_ask(told.ask[0], sys.stdin.read().split(), int(told.ask[1])))))
    else:
        rows = _measure_all(told.seconds)
        print(json.dumps([asdict(row) for row in rows], indent=2) if told.json else _table(rows))


def _measure_all(seconds: int) -> list[Row]:
    rows, most = rows_of(RATERS, measure(RATERS, seconds)), RATERS
    for raters in STEPS:
        found = measure(raters, STEP_SECONDS)
        Console(stderr=True).print(f"{raters} raters: {found.rate:.0f} votes a second")
        rows += rows_of(raters, found)
        if not found.holds:
            break
        most = raters
    return [
        *rows,
        Row("raters at a vote a second for whom both hold", "", most, None, "raters", None, RATERS, most >= RATERS),
    ]


def _table(rows: Sequence[Row]) -> str:
    lines = [f"{'what':46}{'case':36}{'ours':>10}  {'bound':>8}  holds"]
    for row in rows:
        bound = "" if row.bound is None else f"{row.bound:.0f}"
        holds = "" if row.holds is None else "yes" if row.holds else "NO"
        lines.append(f"{row.what:46}{row.case:36}{row.ours:>7.1f} {row.unit:3}{bound:>8}  {holds}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
