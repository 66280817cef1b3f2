"""Greedy answers for many prompts: what the prompts share is computed once, and a row stops when its answer ends."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from preceptor.engine._cost import Cost, forward_flops, timed
from preceptor.engine._logprobs import can_share, has_window
from preceptor.engine._tree import common_prefix
from preceptor.models import Policy

OnBatch = Callable[[list[int], list[list[int]]], None]
"""Called after each batch with the prompts' indices and the answers' token ids."""

_CACHED_TOKENS = 24_576
"""Prompt tokens whose keys and values are held at a time: about 1 GB for a model of 135 million weights."""


def generation_batches(prompts: Sequence[Sequence[int]], rows: int, tokens: int = _CACHED_TOKENS) -> list[list[int]]:
    """Indices of the prompts of each batch, always the same: alike in length, at most `rows` of them, and fewer when
    they are so long that more than `tokens` tokens would have to be remembered.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), i)):
        room = min(rows, max(1, tokens // len(prompts[index])))
        if batches and len(batches[-1]) < room:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


@torch.inference_mode()
def generate(
    policy: Policy,
    prompts: Sequence[list[int]],
    *,
    max_new_tokens: int,
    stop: frozenset[int],
    rows: int = 32,
    done: frozenset[int] = frozenset(),
    on_batch: OnBatch,
) -> Cost:
    """Answer every prompt greedily, without the stop token, batch by batch, and return what it cost.

    Batches depend on the prompts alone, never on what is `done`, so an interrupted evaluation that skips the batches
    whose indices are all in `done` gives the same answers.
    """
    policy.model.eval()
    share = can_share(policy.model)
    # Padding lies between the shared part and a row's own: a window that counts columns would come out short.
    whole = share and not has_window(policy.model)
    shared = min(common_prefix(prompts), min(map(len, prompts)) - 1) if whole and len(prompts) > 1 else 0
    with timed() as cost:
        prefix = _prefix_cache(policy, prompts[0][:shared])
        cost.tokens_computed += shared
        cost.flops += forward_flops(policy.model, shared, 0)
        for batch in generation_batches(prompts, rows if share else 1):
            if done.issuperset(batch):
                continue
            answers = _one_batch(policy, prefix, shared, [prompts[i] for i in batch], max_new_tokens, stop)
            _count(cost, policy, [prompts[i] for i in batch], answers, shared)
            on_batch(batch, answers)
    return cost


def _count(cost: Cost, policy: Policy, prompts: list[list[int]], answers: list[list[int]], shared: int) -> None:
    written = sum(map(len, answers)) + len(answers)
    computed = sum(len(prompt) - shared for prompt in prompts) + written
    cost.tokens_seen += sum(map(len, prompts)) + written
    cost.tokens_computed += computed
    cost.flops += forward_flops(policy.model, computed, written)


def _prefix_cache(policy: Policy, prefix: list[int]) -> DynamicCache:
    cache = DynamicCache(config=policy.model.config)
    if prefix:
        device = next(policy.model.parameters()).device
        policy.model(input_ids=torch.tensor([prefix], device=device), past_key_values=cache, use_cache=True)
    return cache


def _one_batch(
    policy: Policy,
    prefix: DynamicCache,
    shared: int,
    prompts: list[list[int]],
    max_new_tokens: int,
    stop: frozenset[int],
) -> list[list[int]]:
    device = next(policy.model.parameters()).device
    cache = copy.deepcopy(prefix)
    if shared:
        cache.batch_repeat_interleave(len(prompts))
    ids, attention = _left_padded([prompt[shared:] for prompt in prompts], shared, device)
    answers: list[list[int]] = [[] for _ in prompts]
    active = list(range(len(prompts)))
    for _ in range(max_new_tokens):
        positions = (attention.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        logits = policy.model(
            input_ids=ids,
            attention_mask=attention,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        chosen = logits.argmax(-1).tolist()
        going = [row for row, token in enumerate(chosen) if token not in stop]
        for row in going:
            answers[active[row]].append(chosen[row])
        if not going:
            break
        if len(going) < len(active):
            cache.batch_select_indices(torch.tensor(going, device=device))
            attention = attention[going]
            active = [active[row] for row in going]
        ids = torch.tensor([[chosen[row]] for row in going], device=device)
        attention = torch.cat([attention, attention.new_ones(len(going), 1)], dim=1)
    return answers


def _left_padded(suffixes: list[list[int]], shared: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids [rows, longest] padded on the left, and attention [rows, shared + longest]."""
    longest = max(map(len, suffixes))
    ids = [[0] * (longest - len(s)) + s for s in suffixes]
    attention = [[1] * shared + [0] * (longest - len(s)) + [1] * len(s) for s in suffixes]
    return torch.tensor(ids, device=device), torch.tensor(attention, device=device)
