"""What does a busy neighbour cost, and how long should a waiting thread spin? `python -m benchmarks.neighbour [--json]`

One process of ours for each spin count, all with two threads: a training step over a tree of 864 tokens and a batch of
answers, alone on the machine and beside a process that keeps one core busy. The processes take turns, each figure is
the median over the rounds, and each is compared with the same work alone and with the count that GNU OpenMP takes when
nothing is said. One more process has `OMP_WAIT_POLICY=PASSIVE` in place of a count.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from statistics import median

from benchmarks._measure import Row, at_most

COUNTS = (0, 100, 1000, 10_000, 30_000, 100_000, 300_000)
UNSAID, PASSIVE = "nothing set", "OMP_WAIT_POLICY=PASSIVE"
SETTINGS = {
    UNSAID: {},
    PASSIVE: {"OMP_WAIT_POLICY": "PASSIVE"},
    **{f"GOMP_SPINCOUNT={count}": {"GOMP_SPINCOUNT": str(count)} for count in COUNTS},
}
ALONE_BOUND, BUSY_BOUND = 1.05, 2.0
WORKS = ("training step", "answers")
ROUNDS = 5


def measure(rounds: int) -> list[Row]:
    """Every setting, alone and beside a busy process, in turn."""
    seconds: dict[tuple[str, str, bool], list[float]] = {}
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_worker(more)) for name, more in SETTINGS.items()}
        for _ in range(rounds):
            for busy in (False, True):
                with _neighbour() if busy else ExitStack():
                    for name, worker in workers.items():
                        for work, took in zip(WORKS, _turn(worker), strict=True):
                            seconds.setdefault((name, work, busy), []).append(took)
    rows = []
    for name in SETTINGS:
        for work in WORKS:
            today = median(seconds[UNSAID, work, False])
            alone, beside = (median(seconds[name, work, busy]) for busy in (False, True))
            rows.append(at_most(f"{work}, alone", name, alone, today, "s", ALONE_BOUND))
            rows.append(at_most(f"{work}, busy neighbour", name, beside, today, "s", BUSY_BOUND))
    return rows


@contextmanager
def _worker(more: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process of ours with these variables set and no others that decide how threads wait."""
    plain = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    code = "from benchmarks.neighbour import work; work()"
    command = [sys.executable, "-c", "import os; " + _UNSET + code if not more else code]
    with subprocess.Popen(
        command, env=plain | more, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # it is ready
            yield process
        finally:
            process.kill()


_UNSET = "import torch; "  # torch first, so that what `benchmarks` sets on import comes too late to count


def _turn(worker: subprocess.Popen[str]) -> list[float]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()
    return [float(word) for word in worker.stdout.readline().split()]


@contextmanager
def _neighbour() -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def work() -> None:
    """Do both works whenever a line comes in, and write the seconds each took."""
    import torch

    from benchmarks import _ours
    from benchmarks._shapes import word_tokens
    from preceptor.engine import EncodedPair, Numerics, generate
    from preceptor.models import EMBEDDED, AdapterSettings, find_model, new_policy

    torch.set_num_threads(2)
    policy = new_policy(find_model(EMBEDDED), AdapterSettings(), seed=0, dtype=torch.float32)
    words = word_tokens(policy.tokenizer)
    shared, stop = list(words[:200]), policy.tokenizer.eos_token_id
    # 200 shared tokens and eight pairs of 83 tokens each: 864 distinct ones.
    pairs = [
        EncodedPair([*shared, *words[300 + 60 * n : 351 + 60 * n]], [*words[:15], stop], [*words[20:35], stop])
        for n in range(8)
    ]
    step = _ours.dpo_step(policy, pairs, Numerics(threads=2))

    def answer() -> None:
        prompts = [pair.prompt for pair in pairs]
        generate(policy, prompts, max_new_tokens=16, stop=frozenset(), on_batch=lambda *_: None)

    step(), answer()
    print("ready", flush=True)
    for _ in sys.stdin:
        took = []
        for one in (step, answer):
            started = time.perf_counter()
            one()
            took.append(time.perf_counter() - started)
        print(*took, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a busy neighbour costs, by how long waiting threads spin.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print rows instead of a table")
    arguments = parser.parse_args()
    rows = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(f"{'':36} {'case':28} {'seconds':>8} {'of today alone':>15}  bound")
    for row in rows:
        held = "" if row.bound is None else f"  {row.bound:g} {'holds' if row.holds else 'does not hold'}"
        print(f"{row.what:36} {row.case:28} {row.ours:8.2f} {row.ratio:15.2f}{held}")


if __name__ == "__main__":
    main()
