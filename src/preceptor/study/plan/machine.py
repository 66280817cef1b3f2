"""The machine a study is planned for: this one, or another that is described."""

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from preceptor.engine import CostModel, Speed
from preceptor.errors import InputError, Problem
from preceptor.models import compute_device
from preceptor.study.plan.memory import ModelBytes

GIB = 2**30

_CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says how much a container may hold, and holds."""

_OF_RATE = 0.5
"""Share of the rate of its matrix products at which a machine trains: what was measured, see docs/PERFORMANCE.md."""
_FIT = 0.92
"""Share of a device's memory that can be filled: allocators lose some between blocks, and others use it too."""
_LOOSE, _LOOSE_16_BITS = 1.65, 2.3
"""Read off nine of the cases of benchmarks/plan.py; docs/PLAN.md says which, and how far they lie apart."""
_GROWN_BYTES = 0.1 * GIB
"""What a process grows by in its first stage, however small the model: libraries load what they need when it is needed.
benchmarks/plan.py measures it with a model of almost nothing.
"""
_DRIVER_BYTES = 0.8 * GIB
"""What the driver and the libraries take on an accelerator. Not measured by us."""
_LAUNCH_SECONDS = 1e-3
"""Kernel-launch latency of one layer on an accelerator. Not measured by us."""
_OPERATIONS_A_BYTE = 250
"""Accelerators do about so many 16-bit operations in the time in which they read a byte: 150 to 300 by their makers."""
_BACK_AND_FORTH = 3.5
"""Attention of a training step over that of its forward: five products more for two (Dao et al. 2022)."""
_STEP_SECONDS, _SAVING_SECONDS, _START_SECONDS, _LOADED_BYTES_A_SECOND = 0.05, 1.0, 10.0, 1e9
"""An optimizer step beside its trees, a checkpoint, a stage's beginning, and reading weights. Guessed."""


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
    def title(self) -> str:
        """How the plan calls it."""
        kind = "accelerator" if self.accelerator else "machine"
        several = f"{self.devices} {kind}s" if self.devices > 1 else f"one {kind}"
        what = "this machine" if self.tflops is None and not self.accelerator else several
        rate = "" if self.tflops is None else f" and {self.tflops:g} TFLOP/s"
        return f"{what}, {self.memory / GIB:.0f} GiB{' each' if self.devices > 1 else ''}{rate}"


def machine(devices: int | None, memory_gib: float | None, tflops: float | None) -> Machine:
    """This machine where nothing is said; else the one that is described.

    Raises InputError for a description that leaves out what nobody can guess.
    """
    if tflops is None and devices is not None:
        what = "devices of another machine are described, and neither how fast they are nor how much they hold is known"
        raise InputError(Problem("--devices", what, "Say --memory-gib and --tflops of one device too."))
    if tflops is not None and memory_gib is None:
        raise InputError(Problem("--tflops", "how much memory a device has is not said", "Say --memory-gib too."))
    if tflops is not None and memory_gib is not None:
        return Machine(devices or 1, memory_gib * GIB, tflops, accelerator=True)
    here = Machine(1, _memory_here(), None, accelerator=compute_device().type != "cpu")
    return here if memory_gib is None else Machine(1, memory_gib * GIB, None, here.accelerator)


def speed_of(described: Machine, model: ModelBytes) -> Speed:
    """How fast a described machine is: by the rate of its products, for nobody can measure it here."""
    assert described.tflops is not None
    rate = described.tflops * 1e12 * _OF_RATE
    attention = 4 * model.width / rate  # a product with the key, one with the value
    reading = model.weights / model.layers / (described.tflops * 1e12 / _OPERATIONS_A_BYTE)
    return Speed(
        model.layers,
        model.operations,
        train=CostModel(model.operations.training / rate, _BACK_AND_FORTH * attention, 3 * _LAUNCH_SECONDS),
        forward=CostModel(1 / rate, attention, _LAUNCH_SECONDS),
        write=CostModel(1 / rate, attention, max(_LAUNCH_SECONDS, reading)),
        step=_STEP_SECONDS,
        first_step=0.0,
        start=_START_SECONDS + model.weights / _LOADED_BYTES_A_SECOND,
        saving=_SAVING_SECONDS,
    )


def looseness(described: Machine, dtype: torch.dtype) -> float:
    """How many times its bytes what is made in passing holds: C's library keeps much of what is freed in between."""
    if described.accelerator:
        return 1.0
    return _LOOSE if dtype.itemsize == 4 else _LOOSE_16_BITS


def own_bytes(described: Machine) -> float:
    """What a process takes on a device beside a model: on the CPU, what this one does, and what it will grow by."""
    return _DRIVER_BYTES if described.accelerator else _resident_bytes() + _GROWN_BYTES


def _resident_bytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


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
