"""How threads wait for each other between two matrix products."""

import os

SPIN_COUNT = 1000
"""How often a waiting thread looks again before it sleeps; `python -m benchmarks.neighbour` compares others."""


def limit_spinning() -> None:
    """Let a thread that waits give its core to others soon, unless the environment says otherwise.

    GNU OpenMP lets it spin for milliseconds. With another busy process on the machine the thread that is waited for may
    not even run meanwhile, and every operation takes a time slice. Call it before torch is imported, in a process that
    is ours: a command, a benchmark or a test.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_COUNT))
