"""The machine a study is planned for: this one, or another that is described."""

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError

from preceptor.engine import NumericsChoice
from preceptor.errors import InputError, Problem, invalid_entries
from preceptor.models import compute_device

GIB = 2**30

_CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says how much a container may hold, and holds."""

_FIT = 0.92
"""Share of a device's memory that can be filled: allocators lose some between blocks, and others use it too."""
_LOOSE, _LOOSE_16_BITS = 1.65, 2.3
"""How many times its bytes what is made in passing holds on a CPU, where C's library keeps much of what is freed in
between: read off cases of benchmarks/plan.py; docs/PLAN.md says which, and how far they lie apart."""
_GROWN_BYTES, _DRIVER_BYTES = 0.1 * GIB, 0.8 * GIB
"""What a process grows by in its first stage, as benchmarks/plan.py measures it with a model of almost nothing; and
what the driver and the libraries take on an accelerator, which we have not measured."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What is planned for. memory: bytes of one device. tflops: 10^12 operations a second that the matrix products of
    one device reach; None for this machine, which is measured. accelerator: whether its devices are not the CPU.
    """

    devices: int
    memory: float
    tflops: float | None
    accelerator: bool

    @property
    def room(self) -> float:
        """Bytes of a device that a study can fill."""
        return _FIT * self.memory

    @property
    def own_bytes(self) -> float:
        """What a process takes on a device beside a model: on the CPU, what this one does, and what it grows by."""
        if self.accelerator:
            return _DRIVER_BYTES
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return float(pages * os.sysconf("SC_PAGE_SIZE")) + _GROWN_BYTES

    def looseness(self, dtype: torch.dtype) -> float:
        """How many times its bytes what is made in passing takes."""
        return 1.0 if self.accelerator else _LOOSE if dtype.itemsize == 4 else _LOOSE_16_BITS


def machine(devices: int | None, memory_gib: float | None, tflops: float | None) -> Machine:
    """This machine where nothing is said; else the one that is described.

    Raises InputError for a description that leaves out what nobody can guess, or has more devices than a study can use.
    """
    if tflops is None and devices is not None:
        what = "devices of another machine are described, and neither how fast they are nor how much they hold is known"
        raise InputError(Problem("--devices", what, "Say --memory-gib and --tflops of one device too."))
    if tflops is not None and memory_gib is None:
        raise InputError(Problem("--tflops", "how much memory a device has is not said", "Say --memory-gib too."))
    try:
        NumericsChoice(processes=1 if devices is None else devices)
    except ValidationError as error:
        found = [what for _, what, _ in invalid_entries(error, "setting")]
        problems = [
            Problem("--devices", f"so many do not train one model together: {what}", "Say fewer.") for what in found
        ]
        raise InputError(problems) from None
    memory = _memory_here() if memory_gib is None else memory_gib * GIB
    return Machine(devices or 1, memory, tflops, accelerator=tflops is not None or compute_device().type != "cpu")


def available_here() -> float:
    """Bytes that are free on this machine's device now."""
    if compute_device().type == "cuda":
        return float(torch.cuda.mem_get_info()[0])
    with suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = 1024.0 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])
        return min(free, _left_in(_CGROUP))
    return _memory_here()


def _left_in(cgroup: Path) -> float:
    """Bytes that a container's limit leaves; infinite where it sets none. What is cached can be had back."""
    try:
        limit, used = (float((cgroup / name).read_text()) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        return max(0.0, limit - used + float(stat.get("inactive_file", 0)))
    except (OSError, ValueError):  # no container, or "max"
        return math.inf


def _memory_here() -> float:
    """Bytes of the first accelerator, else of the machine, or of as much of it as this process may use."""
    if compute_device().type == "cuda":
        return float(torch.cuda.get_device_properties(0).total_memory)
    whole = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError, ValueError):  # "max" where a container sets no limit
        whole = min(whole, float((_CGROUP / "memory.max").read_text()))
    return whole
