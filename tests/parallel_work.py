"""What several processes do together in a test. It stands apart, so that a new process can import it."""

import atexit
import multiprocessing
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch

from preceptor.engine import (
    AnswerScore,
    DPOSettings,
    EncodedChoice,
    EncodedPair,
    Numerics,
    SFTSettings,
    Stage,
    run_dpo,
    run_sft,
    tune,
)
from preceptor.engine.parallel.shard import rank
from preceptor.engine.training.tune import Run, one_of_several
from preceptor.errors import InputError, Problem
from preceptor.models import AdapterSettings, Encoded, ModelSource, Policy, find_model, new_policy
from preceptor.progress import Advance

STOP = 2
INSTRUCTION = list(range(100, 120))
PAIRS = [
    EncodedPair([*INSTRUCTION, 200 + n, 300], [10 + n % 2] * (1 + n % 2) + [STOP], [11 - n % 2] * (1 + n % 3) + [STOP])
    for n in range(11)
]
"""Nine to learn and two to look at: in the last step of an epoch one process has nothing to do."""
EXAMPLES = [Encoded(pair.prompt, pair.chosen) for pair in PAIRS]
LABELS = [EncodedChoice(pair.prompt, [[10, STOP], [10, 11, STOP], [12, STOP]], n % 3) for n, pair in enumerate(PAIRS)]
SFT = SFTSettings(learning_rate=2e-3, epochs=2, batch_size=4, warmup_steps=0, looks_per_epoch=1)
DPO = DPOSettings(learning_rate=2e-3, epochs=2, batch_size=4)
ADAPTER = AdapterSettings(rank=4, alpha=8)


def start(source: ModelSource, adapter: AdapterSettings | None = ADAPTER) -> Policy:
    """A policy whose layers are sharp enough that a wrong weight, gathered or not, shows."""
    policy = new_policy(source, adapter, seed=0, dtype=torch.float32)
    with torch.no_grad():
        for name, weight in policy.model.named_parameters():
            if weight.dim() > 1 and not source.load_in_4bit:
                weight *= 12
            elif "lora_B" in name:
                weight += 0.02
    return policy


def sft(folder: Path, numerics: Numerics, settings: SFTSettings = SFT) -> Run:
    """`run_sft` of everything but the policy."""
    return partial(
        run_sft,
        train=EXAMPLES[:9],
        validation=EXAMPLES[9:],
        settings=settings,
        numerics=numerics,
        folder=folder / "checkpoints",
        seed=3,
    )


def labels(folder: Path, numerics: Numerics) -> Run:
    """`sft` on labels, of which each process sees some of a batch and all count alike."""
    settings = SFT.model_copy(update={"label_balance": "class_weights"})
    return partial(sft(folder, numerics, settings), train=LABELS[:9], validation=LABELS[9:])


def dpo(folder: Path, numerics: Numerics) -> Run:
    """`run_dpo` of everything but the policy."""
    return partial(
        run_dpo,
        pairs=PAIRS[:9],
        validation=PAIRS[9:],
        settings=DPO,
        numerics=numerics,
        folder=folder / "checkpoints",
        seed=3,
    )


def length(number: int, text: str) -> float:
    """Rates an answer by what nobody trains for."""
    return (number + len(text.encode())) / 100


def dpo_by_score(folder: Path, numerics: Numerics) -> Run:
    """`dpo`, whose looks are by the score of answers."""
    prompts = [pair.prompt for pair in PAIRS[:5]]
    return partial(dpo(folder, numerics), measuring=AnswerScore(prompts, 4, length, numerics, 3, samples=3))


def all_in_turn(
    cases: Sequence[tuple[partial[Policy], Run, Path]], numerics: Numerics, advance: Advance
) -> list[Stage]:
    """Several stages by the same processes: starting those takes longer than the stages."""
    return [one_of_several(make, run, folder, numerics, advance) for make, run, folder in cases]


def one_refuses(advance: Advance) -> None:
    """The second process finds something wrong while the first waits for it."""
    if rank() == 1:
        raise InputError(Problem("sequence 3", "it has no prompt", "Give it one."))
    torch.distributed.barrier()


def one_has_a_fault(advance: Advance) -> None:
    """The second process comes upon a fault of ours while the first waits for it."""
    if rank() == 1:
        raise TypeError("a word of a case")
    torch.distributed.barrier()


def one_lacks_memory(advance: Advance) -> None:
    """The second process runs out of memory while the first waits for it."""
    if rank() == 1:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
    torch.distributed.barrier()


def ends_badly(advance: Advance) -> int:
    """Everything is done, and each process is aborted while it ends, as by a thread of torch that still runs."""
    atexit.register(os.abort)
    return rank()


def tell_who_works(source: ModelSource, folder: Path) -> None:
    """Train by two processes for long, and print their numbers as soon as they have taken a step."""
    numerics = Numerics(threads=1, processes=2)

    def tell(units: float = 1, /) -> None:
        if units:
            print(*[one.pid for one in multiprocessing.active_children()], flush=True)

    many = SFT.model_copy(update={"epochs": 10_000, "patience": 10_000})
    tune(partial(start, source), sft(folder, numerics, many), folder, numerics, tell)


if __name__ == "__main__":
    tell_who_works(find_model(sys.argv[1]), Path(sys.argv[2]))
