"""How long OpenMP threads spin while they wait."""

import os

SPIN_COUNT = 1000
"""Spins of a waiting thread before it sleeps; `python -m benchmarks.neighbour` compares other values."""


def limit_spinning() -> None:
    """Limit the spinning of waiting threads, unless the environment sets it.

    By default GNU OpenMP threads spin for milliseconds. On an oversubscribed machine the awaited thread may not be
    scheduled meanwhile, and every operation costs a time slice. Call it before torch is imported, in our own process:
    a command, a benchmark or a test.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_COUNT))
