"""The work of a stage or an evaluation, counted on its own batches and trees in the units that are measured."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from torch import nn

from preceptor.engine.cost import backward_factor, forward_flops
from preceptor.engine.settings import TrainSettings
from preceptor.engine.tree.batches import padded_tokens, schedule, split_into_batches, split_into_trees
from preceptor.engine.tree.layout import distinct_prefixes, layout
from preceptor.engine.tree.logprobs import predicting_nodes
from preceptor.engine.write.generate import generation_batches
from preceptor.models import Encoded


class Unit(NamedTuple):
    """A piece of work, and how often it is done; all but `repeats` is of one piece.

    kind: `train`, a tree forward and backward; `score`, a tree forward; `read`, the tree of a batch's prompts; `write`,
    a token more for each answer of a batch; `save`, a checkpoint. tokens: distinct ones, which are computed. seen: the
    tokens of every sequence in full. rows: hidden states that meet the vocabulary. held: tokens whose activations, or
    keys and values, are in memory together. look: whether it is part of an evaluation while a stage trains. cases:
    those that a head reads. fronts: how many times vectors in front of sequences are computed, if a slot has any.
    """

    kind: str
    repeats: float = 1
    tokens: int = 0
    seen: int = 0
    rows: int = 0
    held: int = 0
    look: bool = False
    cases: int = 0
    fronts: int = 0


Work = list[Unit]
"""Work is added with `+`."""


def tree_work(
    kind: str, groups: Sequence[Sequence[Encoded]], tokens_per_tree: int, *, share: bool, padded: bool = False
) -> Work:
    """The trees of these sequences; those of a group (a case, a pair, the answers to a prompt) are never parted.

    Without sharing, every sequence is computed alone, or if they are `padded` (by an encoder) in batches.
    """
    if padded:
        batches = split_into_batches(groups, lambda group: [one.prompt for one in group], tokens_per_tree)
        return [_batch(kind, batch) for batch in batches]
    trees = split_into_trees(groups, lambda group: [one.prompt + one.answer for one in group], tokens_per_tree)
    together = [[one for group in tree for one in group] for tree in trees]
    return [_tree(kind, tree) for tree in (together if share else [[one] for tree in together for one in tree])]


def training_work(
    train: Sequence[Sequence[Encoded]],
    validation: Sequence[Sequence[Encoded]],
    settings: TrainSettings,
    tokens_per_tree: int,
    *,
    share: bool,
    padded: bool = False,
    answers: Work = [],  # noqa: B006 - it is never changed
    start: bool = False,
) -> Work:
    """All epochs of `train` (which may stop earlier) with their evaluations; a batch holds `batch_size` groups.

    answers: what an evaluation takes beside the loss. start: there is one before the first step.
    """
    batches = schedule(len(train), settings.batch_size, 1, 0)
    looks = -(-len(batches) * settings.epochs // max(1, len(batches) // settings.looks_per_epoch))
    kept = {"share": share, "padded": padded}
    steps = (tree_work("train", [train[i] for i in batch], tokens_per_tree, **kept) for batch in batches)
    look = look_work(validation, tokens_per_tree, **kept, answers=answers)
    return times(list(chain.from_iterable(steps)), settings.epochs) + times(look, looks + start)


def look_work(
    validation: Sequence[Sequence[Encoded]],
    tokens_per_tree: int,
    *,
    share: bool,
    padded: bool = False,
    answers: Work = [],  # noqa: B006
) -> Work:
    """One evaluation while a stage trains, and the checkpoint behind it; see `training_work`."""
    held_out = tree_work("score", validation, tokens_per_tree, share=share, padded=padded)
    return [*as_look(held_out + answers), Unit("save")]


def as_look(work: Work) -> Work:
    """The same as part of evaluations."""
    return [unit._replace(look=True) for unit in work]


def writing_work(
    prompts: Sequence[list[int]], lengths: Sequence[int], max_new_tokens: int, *, share: bool, rows: int = 32
) -> Work:
    """`generate` for the prompts, where their answers have these lengths, the stop token included."""
    work: Work = []
    for batch in generation_batches(prompts, rows if share else 1, max_new_tokens):
        some = [prompts[i] for i in batch]
        tokens, held = distinct_prefixes(some), len(some) * (max(map(len, some)) + max_new_tokens)
        work.append(Unit("read", 1, tokens, sum(map(len, some)), len(some), tokens, fronts=1))
        # An answer of n tokens takes n - 1 steps behind the reading, which tells its first.
        ends = sorted({min(lengths[i], max_new_tokens) - 1 for i in batch} | {0})
        for begin, end in pairwise(ends):
            going = sum(min(lengths[i], max_new_tokens) > end for i in batch)
            work.append(Unit("write", end - begin, going, going, going, held))
    return work


def times(work: Work, factor: float) -> Work:
    """The same work so many times."""
    return [unit._replace(repeats=unit.repeats * factor) for unit in work]


def flops_of(work: Work, model: nn.Module) -> float:
    """Floating-point operations of the linear layers, as the cost ledger counts them; the model may be on `meta`."""
    token, row, case, front, backward = _operations(model)
    forwards = (
        (unit, token * unit.tokens + row * unit.rows + case * unit.cases + front * unit.fronts) for unit in work
    )
    return sum(unit.repeats * flops * (backward if unit.kind == "train" else 1) for unit, flops in forwards)


@lru_cache(maxsize=2)
def _operations(model: nn.Module) -> tuple[float, float, float, float, float]:
    """Operations of a token, a row, a case and of vectors in front, forward, and how many times that a tree forward and
    backward takes.
    """
    token, row, case = forward_flops(model, 1, 0), forward_flops(model, 0, 1), forward_flops(model, 0, 0, 1)
    return token, row, case, forward_flops(model, 0, 0, fronts=1), backward_factor(model)


def _tree(kind: str, sequences: Sequence[Encoded]) -> Unit:
    tree = layout([one.prompt + one.answer for one in sequences])
    seen, rows = sum(map(len, tree.paths)), len(set().union(*predicting_nodes(tree, sequences)))
    cases = sum(not one.answer for one in sequences)  # nothing is predicted behind them: a head reads them
    return Unit(kind, 1, len(tree), seen, rows, len(tree), cases=cases, fronts=1)


def _batch(kind: str, groups: Sequence[Sequence[Encoded]]) -> Unit:
    """A group is a case: the one sequence that it is, or its chunks."""
    prompts = [one.prompt for group in groups for one in group]
    tokens = padded_tokens(prompts)
    return Unit(kind, 1, tokens, sum(map(len, prompts)), held=tokens, cases=len(groups), fronts=len(prompts))
