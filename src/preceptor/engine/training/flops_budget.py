"""SFT continued for a budget of floating-point operations: which examples its steps take until they have spent it."""

from collections.abc import Sequence
from itertools import islice

from torch import nn

from preceptor.engine.cost import backward_factor, forward_flops
from preceptor.engine.settings import Numerics, SFTSettings
from preceptor.engine.training.label_choice import EncodedChoice
from preceptor.engine.tree.batches import endless_schedule, steps_per_epoch
from preceptor.engine.tree.layout import layout
from preceptor.engine.tree.logprobs import predicting_nodes
from preceptor.engine.tree.rank_balance import balance_across_ranks
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.models import Encoded, Policy

SFTExample = Encoded | EncodedChoice
"""What SFT learns from."""


def schedule_worth(
    flops: float, policy: Policy, train: Sequence[SFTExample], settings: SFTSettings, numerics: Numerics, *, seed: int
) -> list[list[int]]:
    """Indices of the examples of each step behind the stage's own, until the steps have cost `flops`."""
    share, factor = shares_prefixes(policy), backward_factor(policy.model)
    order: list[list[int]] = []
    spent = 0.0
    steps = endless_schedule(len(train), settings.batch_size, seed)
    for indices in islice(steps, steps_per_epoch(len(train), settings.batch_size) * settings.epochs, None):
        of_ranks = balance_across_ranks(
            [train[i] for i in indices], token_ids, numerics.tokens_per_tree, numerics.processes
        )
        trees = (tree for of_rank in of_ranks for tree in of_rank if tree)
        spent += factor * sum(_tree_flops(policy.model, tree, share=share) for tree in trees)
        order.append(indices)
        if spent >= flops:
            break
    return order


def sft_steps_worth(
    flops: float, policy: Policy, train: Sequence[SFTExample], settings: SFTSettings, numerics: Numerics, *, seed: int
) -> int:
    """How many optimizer steps `run_sft` takes with `flops`."""
    return len(schedule_worth(flops, policy, train, settings, numerics, seed=seed))


def sequences(example: SFTExample) -> list[Encoded]:
    """What is computed of an example: its prompt and answer, or where labels are chosen from, the prompt and each."""
    return example.sequences() if isinstance(example, EncodedChoice) else [example]


def token_ids(example: SFTExample) -> list[list[int]]:
    """The token ids of an example's sequences."""
    return [one.prompt + one.answer for one in sequences(example)]


def answer_tokens(examples: Sequence[Encoded]) -> int:
    """How many tokens of the examples are learned."""
    return sum(len(example.answer) for example in examples)


def _tree_flops(model: nn.Module, tree: Sequence[SFTExample], *, share: bool) -> float:
    """The FLOPs that `answer_logprobs` counts for one tree."""
    every = [one for example in tree for one in sequences(example)]
    if not share:
        tokens = sum(len(one.prompt + one.answer) for one in every)
        return forward_flops(model, tokens, answer_tokens(every), fronts=len(every))
    nodes = layout([one.prompt + one.answer for one in every])
    return forward_flops(model, len(nodes), len(set().union(*predicting_nodes(nodes, every))), fronts=1)
