"""Our side: the steps and stages of `preceptor.engine`, as training takes them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import torch
from torch import Tensor, nn

from benchmarks._measure import Work, adamw
from preceptor.engine import (
    Cost,
    DPOSettings,
    EncodedPair,
    Numerics,
    SFTSettings,
    answer_logprobs,
    can_share,
    dpo_loss,
    generate,
    reward_margins,
    run_dpo,
    run_sft,
    score_answers,
    sft_loss,
)
from preceptor.engine.cost import backward_factor
from preceptor.engine.training.reference import pair_logprobs, pair_trees, reference_of_policy, sums
from preceptor.engine.tree.batches import split_into_trees
from preceptor.models import Encoded, Policy

Tree = TypeVar("Tree")


def dpo_step(policy: Policy, pairs: Sequence[EncodedPair], numerics: Numerics) -> Work:
    """One optimizer step on all pairs. The reference is cached, as it always is."""
    share = can_share(policy.model)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "reference.json"
        reference = reference_of_policy(policy, pairs, [range(len(pairs))], numerics, file).logprobs

    def tree_loss(tree: list[int]) -> Tensor:
        some = [pairs[i] for i in tree]
        chosen, rejected = pair_logprobs(policy.model, some, share=share, cost=Cost())
        kept = torch.tensor([reference[i] for i in tree], device=chosen[0].device)
        margins = reward_margins(sums(chosen), sums(rejected), kept[:, 0], kept[:, 1])
        return dpo_loss(margins, DPOSettings().beta).sum() / len(pairs)

    return step_of(policy.model, pair_trees(pairs, range(len(pairs)), numerics.tokens_per_tree), tree_loss)


@torch.no_grad()
def dpo_step_flops(policy: Policy, pairs: Sequence[EncodedPair], numerics: Numerics) -> float:
    """Operations of the linear layers in one such step, each distinct token once."""
    cost = Cost()
    for tree in pair_trees(pairs, range(len(pairs)), numerics.tokens_per_tree):
        pair_logprobs(policy.model, [pairs[i] for i in tree], share=can_share(policy.model), cost=cost)
    return cost.flops * backward_factor(policy.model)


def sft_step(policy: Policy, examples: Sequence[Encoded], numerics: Numerics) -> Work:
    """One optimizer step on all examples."""
    share = can_share(policy.model)
    tokens = sum(len(example.answer) for example in examples)

    def tree_loss(tree: list[Encoded]) -> Tensor:
        return sft_loss(torch.cat(answer_logprobs(policy.model, tree, share=share, cost=Cost()))) / tokens

    trees = split_into_trees(examples, lambda e: [e.prompt + e.answer], numerics.tokens_per_tree)
    return step_of(policy.model, trees, tree_loss)


def step_of(model: nn.Module, trees: Sequence[Tree], tree_loss: Callable[[Tree], Tensor]) -> Work:
    """One optimizer step: the losses of its trees, or batches, added up."""
    model.eval()
    optimizer = adamw(model)

    def step() -> float:
        total = 0.0
        for tree in trees:
            loss = tree_loss(tree)
            loss.backward()
            total += float(loss.detach())
        optimizer.step()
        optimizer.zero_grad()
        return total

    return step


def dpo_stage(policy: Policy, pairs: Sequence[EncodedPair], batch_size: int, numerics: Numerics) -> Work:
    """The whole `dpo` stage over 2 epochs, its reference pass and its checkpoints."""
    settings = DPOSettings(epochs=2, batch_size=batch_size, looks_per_epoch=1)

    def stage() -> None:
        with TemporaryDirectory() as folder:
            run_dpo(policy, pairs, [], settings, numerics, Path(folder), seed=0)

    return stage


def sft_stage(policy: Policy, pairs: Sequence[EncodedPair], batch_size: int, numerics: Numerics) -> Work:
    """The whole `sft` stage on the chosen answers over 2 epochs, its checkpoints; validation on next to nothing."""
    settings = SFTSettings(epochs=2, batch_size=batch_size)
    train = [Encoded(pair.prompt, pair.chosen) for pair in pairs]
    validation = [Encoded(pairs[0].prompt[:1], pairs[0].chosen[-1:])]

    def stage() -> None:
        with TemporaryDirectory() as folder:
            run_sft(policy, train, validation, settings, numerics, Path(folder), seed=0)

    return stage


def score_together(
    policy: Policy, prompts: Sequence[list[int]], labels: Sequence[list[int]], numerics: Numerics
) -> Work:
    """All labels under their prompt in one tree."""

    def score() -> float:
        scores, _ = score_answers(policy, prompts, [labels] * len(prompts), numerics)
        return sum(map(sum, scores))

    return score


def score_one_by_one(policy: Policy, prompts: Sequence[list[int]], labels: Sequence[list[int]]) -> Work:
    """A sequence of its own for every label of every prompt, computed by the same code."""

    @torch.no_grad()
    def score() -> float:
        sequences = [Encoded(prompt, label) for prompt in prompts for label in labels]
        return sum(float(answer_logprobs(policy.model, [sequence])[0].sum()) for sequence in sequences)

    policy.model.eval()
    return score


def answer(policy: Policy, prompts: Sequence[list[int]], new_tokens: int) -> Work:
    """Greedy answers that nothing ends early. The result is how many tokens were written."""

    def write() -> float:
        written: list[int] = []
        generate(
            policy,
            prompts,
            max_new_tokens=new_tokens,
            stop=frozenset(),
            rows=len(prompts),
            on_batch=lambda _, answers: written.extend(map(len, answers)),
        )
        return sum(written)

    return write


def answer_padded(policy: Policy, prompts: Sequence[list[int]], new_tokens: int) -> Work:
    """The same by transformers' own `generate`, prompts padded on the left."""
    longest = max(map(len, prompts))
    padding = [longest - len(prompt) for prompt in prompts]
    ids = torch.tensor([[0] * pad + list(prompt) for pad, prompt in zip(padding, prompts, strict=True)])
    mask = torch.tensor([[0] * pad + [1] * (longest - pad) for pad in padding])

    @torch.inference_mode()
    def write() -> float:
        out = policy.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=new_tokens,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )
        return float((out.shape[1] - longest) * len(out))

    policy.model.eval()
    return write


def products(model: nn.Module, rows: int) -> tuple[Work, float]:
    """The plain products of `rows` rows with every weight of the model's layers, and how many operations they are."""
    weights = [
        module.weight.detach()
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and "lora_" not in name and not name.endswith("lm_head")
    ]
    inputs = {width: torch.randn(rows, width) for width in {weight.shape[1] for weight in weights}}
    outputs = {width: torch.empty(rows, width) for width in {weight.shape[0] for weight in weights}}

    def multiply() -> None:
        for weight in weights:
            torch.mm(inputs[weight.shape[1]], weight.T, out=outputs[weight.shape[0]])

    return multiply, 2.0 * rows * sum(weight.numel() for weight in weights)
