"""The work of a stage or an evaluation, counted on its own batches and trees while nothing is computed."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from torch import nn

from preceptor.engine.cost import backward_factor, forward_flops
from preceptor.engine.settings import DPOSettings, Numerics, SFTSettings, TrainSettings
from preceptor.engine.training.reference import EncodedPair, pair_trees
from preceptor.engine.tree.batches import schedule, split_into_trees
from preceptor.engine.tree.layout import layout
from preceptor.engine.tree.logprobs import answer_tree
from preceptor.engine.write.generate import generation_batches
from preceptor.models import Encoded


@dataclass(frozen=True, slots=True)
class Operations:
    """Floating-point operations of a model's linear layers, as the cost ledger counts them.

    body: of a token. head: of a hidden state that meets the vocabulary. training: a training step's over its forward's.
    """

    body: float
    head: float
    training: float

    @classmethod
    def of(cls, model: nn.Module) -> Self:
        """Those of a model, which may be without numbers."""
        return cls(forward_flops(model, 1, 0), forward_flops(model, 0, 1), backward_factor(model))

    def forward(self, tokens: float, rows: float) -> float:
        """Of so many tokens, and so many of them that meet the vocabulary, without a backward."""
        return self.body * tokens + self.head * rows


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees that pass through a model, counted; `largest` and `largest_rows` are those of one tree.

    tokens: distinct ones, which are computed. seen: every sequence in full. rows: hidden states that meet the
    vocabulary. attention_pairs: of a query and a key that it attends to, in one layer.
    """

    count: float = 0
    tokens: float = 0
    seen: float = 0
    rows: float = 0
    attention_pairs: float = 0
    largest: int = 0
    largest_rows: int = 0

    def __add__(self, other: "Trees") -> "Trees":
        return Trees(*(_joined(self, other, one.name) for one in fields(Trees)))

    def times(self, factor: float) -> "Trees":
        """As many of the same kind."""
        if not factor:
            return Trees()
        scaled = {name: getattr(self, name) * factor for name in ("count", "tokens", "seen", "rows", "attention_pairs")}
        return replace(self, **scaled)


@dataclass(frozen=True, slots=True)
class Writing:
    """Answers that are written token by token, counted; `cells` and `prompts` are those of the largest batch.

    steps: forwards of a batch. tokens: those of all rows. attention_pairs: of a query and a key that it attends to,
    in one layer, padding included. cells: tokens whose keys and values are held, answers included.
    """

    steps: float = 0
    tokens: float = 0
    attention_pairs: float = 0
    cells: int = 0
    prompts: int = 0

    def __add__(self, other: "Writing") -> "Writing":
        return Writing(*(_joined(self, other, one.name) for one in fields(Writing)))


@dataclass(frozen=True, slots=True)
class Workload:
    """What a stage or an evaluation does. `read` are prompts that are read to be answered.

    together: trees of an optimizer step, at most. evaluations: on validation data, each followed by a checkpoint.
    """

    train: Trees = Trees()
    forward: Trees = Trees()
    read: Trees = Trees()
    writing: Writing = Writing()
    steps: float = 0
    together: int = 0
    evaluations: float = 0

    def __add__(self, other: "Workload") -> "Workload":
        return Workload(*(_joined(self, other, one.name) for one in fields(Workload)))

    @property
    def tokens(self) -> float:
        """Distinct tokens: those that are computed."""
        return self.train.tokens + self.forward.tokens + self.read.tokens + self.writing.tokens

    @property
    def seen(self) -> float:
        """The tokens of every sequence in full."""
        return self.train.seen + self.forward.seen + self.read.seen + self.writing.tokens

    def flops(self, operations: Operations) -> float:
        """Floating-point operations of it all."""
        forward, written = self.forward + self.read, self.writing.tokens
        return operations.training * operations.forward(self.train.tokens, self.train.rows) + operations.forward(
            forward.tokens + written, forward.rows + written
        )

    def times(self, factor: float) -> "Workload":
        """`factor` times the training, steps and evaluations, with nothing written."""
        train, forward = self.train.times(factor), self.forward.times(factor)
        return replace(
            self, train=train, forward=forward, steps=self.steps * factor, evaluations=self.evaluations * factor
        )


def sft_workload(
    train: Sequence[Encoded], validation: Sequence[Encoded], settings: SFTSettings, numerics: Numerics, *, share: bool
) -> Workload:
    """All epochs of `run_sft`, which may stop earlier."""
    steps = [
        _trees([train[i] for i in indices], numerics, share=share)
        for indices in schedule(len(train), settings.batch_size, 1, 0)
    ]
    return _all_epochs(steps, sum(_trees(validation, numerics, share=share), Trees()), settings)


def dpo_workload(
    pairs: Sequence[EncodedPair],
    validation: Sequence[EncodedPair],
    settings: DPOSettings,
    numerics: Numerics,
    *,
    share: bool,
) -> Workload:
    """The reference of all pairs, and all epochs of `run_dpo`."""

    def trees(some: Sequence[EncodedPair]) -> list[Trees]:
        laid_out = pair_trees(some, range(len(some)), numerics.tokens_per_tree)
        return _counted([[s for i in tree for s in some[i].sequences()] for tree in laid_out], share=share)

    steps = [trees([pairs[i] for i in indices]) for indices in schedule(len(pairs), settings.batch_size, 1, 0)]
    held_out = sum(trees(validation), Trees())
    work = _all_epochs(steps, held_out, settings)
    one_epoch = sum((one for step in steps for one in step), Trees())
    return replace(work, forward=one_epoch + held_out + work.forward)


def _all_epochs(steps: Sequence[Sequence[Trees]], held_out: Trees, settings: TrainSettings) -> Workload:
    """Training on the trees of an epoch's `steps`, and evaluations on those held out."""
    total = len(steps) * settings.epochs
    evaluations = -(-total // max(1, len(steps) // settings.looks_per_epoch))
    return Workload(
        train=sum((one for step in steps for one in step), Trees()).times(settings.epochs),
        forward=held_out.times(evaluations),
        steps=total,
        together=max(map(len, steps)),
        evaluations=evaluations,
    )


def scoring_workload(
    prompts: Sequence[list[int]], candidates: Sequence[Sequence[list[int]]], numerics: Numerics, *, share: bool
) -> Workload:
    """`score_answers` of each prompt's candidates."""

    def sequences(i: int) -> list[list[int]]:
        return [prompts[i] + answer for answer in candidates[i]]

    trees = split_into_trees(range(len(prompts)), sequences, numerics.tokens_per_tree)
    encoded = [[Encoded(prompts[i], list(answer)) for i in tree for answer in candidates[i]] for tree in trees]
    return Workload(forward=sum(_counted(encoded, share=share), Trees()))


def writing_workload(
    prompts: Sequence[list[int]], lengths: Sequence[int], max_new_tokens: int, *, share: bool, rows: int = 32
) -> Workload:
    """`generate` for the prompts, where their answers have these lengths, the stop token included."""
    total = Workload()
    for batch in generation_batches(prompts, rows if share else 1, max_new_tokens):
        some = [prompts[i] for i in batch]
        longest = max(map(len, some))
        # An answer of n tokens is n - 1 steps behind the reading, which tells the first.
        written = [min(lengths[i], max_new_tokens) - 1 for i in batch]
        attention_pairs = sum(n * (longest + n / 2) for n in written)
        cells = len(batch) * (longest + max_new_tokens)
        writing = Writing(max(written), sum(written), attention_pairs, cells, len(batch))
        total += Workload(read=_read(some), writing=writing)
    return total


def _read(prompts: Sequence[list[int]]) -> Trees:
    tree = layout(prompts)
    pairs = _attention_pairs(tree.positions)
    return Trees(1, len(tree), sum(map(len, prompts)), len(prompts), pairs, len(tree), len(prompts))


def _trees(examples: Sequence[Encoded], numerics: Numerics, *, share: bool) -> list[Trees]:
    return _counted(
        split_into_trees(examples, lambda one: [one.prompt + one.answer], numerics.tokens_per_tree), share=share
    )


def tree_workload(sequences: Sequence[Encoded], *, share: bool) -> Trees:
    """One tree, or without sharing its sequences one by one."""
    return _tree(sequences) if share else sum((_tree([one]) for one in sequences), Trees())


def _counted(trees: Sequence[Sequence[Encoded]], *, share: bool) -> list[Trees]:
    return [tree_workload(tree, share=share) for tree in trees]


def _tree(sequences: Sequence[Encoded]) -> Trees:
    tree, predicting = answer_tree(sequences)
    rows = len(set().union(*predicting))
    return Trees(1, len(tree), sum(map(len, tree.paths)), rows, _attention_pairs(tree.positions), len(tree), rows)


def _attention_pairs(positions: Sequence[int]) -> int:
    """A token attends to itself and to all above it."""
    return sum(positions) + len(positions)


_LARGEST = ("largest", "largest_rows", "cells", "prompts", "together")


def _joined(a: Any, b: Any, name: str) -> Any:
    one, other = getattr(a, name), getattr(b, name)
    return max(one, other) if name in _LARGEST else one + other
