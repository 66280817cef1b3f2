"""The cost of work: seconds, tokens, floating-point operations (FLOPs) and memory, added up over stages."""

import ctypes
import gc
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from transformers.pytorch_utils import Conv1D  # GPT-2's name for a linear layer

from preceptor.engine.output_layer import output_layer
from preceptor.models import heads_of, prefix_tokens, soft_tokens


@dataclass(slots=True)
class Cost:
    """Cost of some work. `tokens_seen` counts every sequence in full, `tokens_computed` each distinct prefix once;
    vectors in front of sequences are no tokens, and `flops` has them.

    evaluation_flops: those of `flops` that went into evaluations while a stage trained, by which a checkpoint is chosen
    and nothing is learned.
    """

    seconds: float = 0.0
    optimizer_steps: int = 0
    tokens_seen: int = 0
    tokens_computed: int = 0
    flops: float = 0.0
    peak_memory_bytes: int = 0
    evaluation_flops: float = 0.0

    @property
    def training_flops(self) -> float:
        """All but those of evaluations."""
        return self.flops - self.evaluation_flops

    def __add__(self, other: Self) -> "Cost":
        return Cost(
            self.seconds + other.seconds,
            self.optimizer_steps + other.optimizer_steps,
            self.tokens_seen + other.tokens_seen,
            self.tokens_computed + other.tokens_computed,
            self.flops + other.flops,
            max(self.peak_memory_bytes, other.peak_memory_bytes),
            self.evaluation_flops + other.evaluation_flops,
        )

    def to_json(self) -> dict[str, Any]:
        """The names of `results.json`."""
        return asdict(self)


def side_by_side(costs: Sequence[Cost]) -> Cost:
    """Cost of processes that worked in parallel: the largest time and memory, the sum of the rest."""
    seconds, steps = max(cost.seconds for cost in costs), max(cost.optimizer_steps for cost in costs)
    return replace(sum(costs, Cost()), seconds=seconds, optimizer_steps=steps)


def forward_flops(
    model: torch.nn.Module, tokens: int, logit_rows: int, head_rows: int = 0, *, fronts: int = 0
) -> float:
    """Multiply-adds of the linear layers and of LSTMs, two operations each: body for every token, the output layer for
    `logit_rows`, the heads of slots for `head_rows`.

    fronts: how many times the vectors in front of sequences are made, and soft tokens among them pass through the body.
    """
    body = vocabulary = makers = 0
    soft, prefix, encoders = soft_tokens(model), prefix_tokens(model), getattr(model, "prompt_encoder", None)
    makes = set(() if encoders is None else encoders.modules())
    output = output_layer(model)
    heads = list(heads_of(model).values())
    for module in model.modules():
        if isinstance(module, torch.nn.Linear | Conv1D) and module not in heads:
            if module is output:
                vocabulary += _parameters(module)
            elif module in makes:
                makers += _parameters(module)
            else:
                body += _parameters(module)
        elif isinstance(module, torch.nn.LSTM):
            weights = sum(weight.numel() for weight in module.parameters() if weight.ndim == 2)
            if module in makes:
                makers += weights
            else:
                body += weights
    front = body * soft + makers * (soft + prefix)
    return 2.0 * (body * tokens + front * fronts + vocabulary * logit_rows + sum(map(_parameters, heads)) * head_rows)


def _parameters(layer: torch.nn.Linear | Conv1D) -> int:
    """Parameters of a layer's weight matrix: more than the numbers it stores where they are packed in four bits."""
    return layer.in_features * layer.out_features if isinstance(layer, torch.nn.Linear) else layer.weight.numel()


def backward_factor(model: torch.nn.Module) -> float:
    """A training step's FLOPs over its forward's: 3 when every weight learns, 2 when the backbone is frozen."""
    layers = (module for module in model.modules() if isinstance(module, torch.nn.Linear))
    packed = sum(_parameters(layer) - layer.weight.numel() for layer in layers)
    total = packed + sum(p.numel() for p in model.parameters())
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return 2.0 + learning / total


def start_peak_memory() -> None:
    """Begin a new high-water mark, so that a stage does not inherit that of the one before. Linux only on a CPU."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """Most memory held since `start_peak_memory`, in bytes: the accelerator's, or the process's where there is none."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def release_memory() -> None:
    """Return freed memory from the C allocator to the operating system, between stages."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def timed() -> Iterator[Cost]:
    """A cost to add to; seconds and peak memory are filled in at the end of the block."""
    cost = Cost()
    start_peak_memory()
    started = time.perf_counter()
    yield cost
    cost.seconds = time.perf_counter() - started
    cost.peak_memory_bytes = peak_memory()
