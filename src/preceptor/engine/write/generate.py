"""Batched decoding, greedy or sampled: prompts are prefilled as one tree, and a row stops when its answer ends."""

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from transformers import DynamicCache

from preceptor.engine.cost import Cost, forward_flops, timed
from preceptor.engine.output_layer import float32_head
from preceptor.engine.tree.attention import TreeAttention
from preceptor.engine.tree.head import logits_of
from preceptor.engine.tree.logprobs import causal_and_head, hidden_states, logit_softcap
from preceptor.engine.tree.sharing import needs_dense_mask, shares_prefixes
from preceptor.engine.tree.vectors import layout_for
from preceptor.engine.write.kv_cache import cache_of_paths
from preceptor.models import Policy, in_front

OnBatch = Callable[[list[int], list[list[int]]], None]
"""Called after each batch with the prompts' indices and the answers' token ids."""

OnToken = Callable[[list[int], list[int], Tensor], Collection[int]]
"""Called with the indices of the prompts that are being answered, the token each of them got, which may be the one that
ends its answer, and the logits [prompts, vocab_size] it was chosen from. Gives the prompts that need no further token.
"""

_CACHED_TOKENS = 24_576
"""Tokens whose keys and values are held at a time, of prompts and of the answers that room is kept for: about 1 GB for
a model of 135 million weights."""
_MASKED_TOKENS = 4096
"""The same where attention on the CPU needs a dense mask (see `needs_dense_mask`)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling at a temperature: 1 is the model's own distribution, lower ones are sharper.

    `seeds` has one for each prompt, so that a prompt's answer depends neither on other prompts nor on batches.
    """

    temperature: float
    seeds: Sequence[int | str]


def generation_batches(
    prompts: Sequence[Sequence[int]], rows: int, max_new_tokens: int, tokens: int = _CACHED_TOKENS
) -> list[list[int]]:
    """Indices of the prompts of each batch, always the same: alike in length, at most `rows` of them, and fewer when
    prompts and answers are so long that more than `tokens` tokens would have to be remembered.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), i)):
        room = min(rows, max(1, tokens // (len(prompts[index]) + max_new_tokens)))
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
    sampling: Sampling | None = None,
    on_batch: OnBatch,
    on_token: OnToken | None = None,
) -> Cost:
    """Answer every prompt, without the stop token, batch by batch, and return what it cost.

    Without `sampling`, each token is the likeliest. `on_token` is for whoever cannot wait for the end of a batch.

    Batches depend on the prompts alone, never on what is `done`, so an interrupted evaluation that skips the batches
    whose indices are all in `done` gives the same answers.
    """
    policy.model.eval()
    share = shares_prefixes(policy)
    with timed() as cost, float32_head(policy.model):
        tokens = _MASKED_TOKENS if needs_dense_mask(policy.model) else _CACHED_TOKENS
        for batch in generation_batches(prompts, rows if share else 1, max_new_tokens, tokens):
            if done.issuperset(batch):
                continue
            some = [prompts[i] for i in batch]
            read = _prefill_tree(policy, some, max_new_tokens) if share else _prefill_alone(policy, some[0])
            draws = [random.Random(sampling.seeds[i]) for i in batch] if sampling else []
            choose = _Choose(sampling.temperature if sampling else 0.0, draws)
            enough = partial(_enough, batch, on_token) if on_token else None
            answers, fed = _write(policy, read, max_new_tokens, stop, choose, enough)
            cost.tokens_seen += sum(map(len, some)) + fed
            cost.tokens_computed += read.tokens + fed
            cost.flops += forward_flops(policy.model, read.tokens + fed, len(some) + fed, fronts=1)
            on_batch(batch, answers)
    return cost


@dataclass(slots=True)
class _Prefilled:
    """Prompts after prefill.

    cache: keys and values, rows padded on the left; attention: [rows, longest] 1 where a token is; logits: [rows,
    vocab_size] of the token that follows each prompt; tokens: how many were computed.
    """

    cache: DynamicCache
    attention: Tensor
    logits: Tensor
    tokens: int


@dataclass(slots=True)
class _Choose:
    """How the next token of each row is chosen: greedily, or sampled with the row's own random generator."""

    temperature: float
    draws: list[random.Random]

    def next(self, logits: Tensor) -> list[int]:
        """logits: [rows, vocab_size]. One token a row."""
        if not self.draws:
            likeliest: list[int] = logits.argmax(-1).tolist()
            return likeliest
        # Inverse-CDF sampling in float64: a logit's last bits differ from batch to batch.
        sums = (logits.float().cpu().double() / self.temperature).softmax(-1).cumsum(-1)
        at = torch.tensor([[draw.random()] for draw in self.draws], dtype=torch.float64)
        drawn: list[int] = torch.searchsorted(sums, at * sums[:, -1:], right=True)[:, 0].tolist()
        return drawn

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows alone."""
        self.draws = [self.draws[row] for row in rows] if self.draws else []


def _prefill_tree(policy: Policy, prompts: Sequence[list[int]], room: int) -> _Prefilled:
    """Prefill all prompts as one tree, then give each row the keys and values of its own path."""
    device = policy.model.device
    causal, head = causal_and_head(policy.model)
    tree = layout_for(policy.model, prompts)
    attention = TreeAttention(tree, device, keep=True)
    hidden = hidden_states(policy.model, attention)
    ends = torch.tensor([path[-1] for path in tree.paths], device=device)
    rows = [tree.keys_of(path) for path in tree.paths]
    longest = max(map(len, rows))
    keys = torch.tensor([[0] * (longest - len(row)) + row for row in rows], device=device)
    cache = cache_of_paths(policy.model.config, attention.kept, keys, room)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
    return _Prefilled(cache, mask, logits_of(hidden[ends], head, logit_softcap(causal)), len(tree) - tree.soft)


def _prefill_alone(policy: Policy, prompt: list[int]) -> _Prefilled:
    """Prefill one prompt with the model's own code."""
    ids = torch.tensor([prompt], device=policy.model.device)
    cache = DynamicCache(config=policy.model.config)
    read = policy.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache = read.past_key_values  # peft puts a prefix into one of its own
    seen = (
        ids.new_ones(1, cache.get_seq_length()) if any(map(in_front, policy.slots.values())) else torch.ones_like(ids)
    )
    return _Prefilled(cache, seen, read.logits[:, -1], len(prompt))


def _enough(
    batch: Sequence[int], on_token: OnToken, rows: Sequence[int], tokens: list[int], logits: Tensor
) -> set[int]:
    """Which rows of a batch need no further token."""
    prompts = [batch[row] for row in rows]
    wanted = on_token(prompts, tokens, logits)
    return {row for row, prompt in zip(rows, prompts, strict=True) if prompt in wanted}


def _write(
    policy: Policy,
    read: _Prefilled,
    max_new_tokens: int,
    stop: frozenset[int],
    choose: _Choose,
    enough: Callable[[list[int], list[int], Tensor], Collection[int]] | None,
) -> tuple[list[list[int]], int]:
    """Write answers token by token; a row leaves when its answer ends or there is `enough` of it. Also how many tokens
    were computed.
    """
    cache, attention, logits = read.cache, read.attention, read.logits
    soft = any(map(in_front, policy.slots.values()))
    model = policy.model.get_base_model() if soft else policy.model  # what stands in front is in the cache already
    latest = choose.next(logits)
    answers: list[list[int]] = [[] for _ in latest]
    active, fed = list(range(len(latest))), 0
    for _ in range(max_new_tokens):
        left = enough(active, latest, logits) if enough else ()
        going = [row for row, token in enumerate(latest) if token not in stop]
        for row in going:
            answers[active[row]].append(latest[row])
        going = [row for row in going if active[row] not in left]
        active = [active[row] for row in going]
        if not active or len(answers[active[0]]) == max_new_tokens:
            break
        if len(going) < len(latest):
            cache.batch_select_indices(torch.tensor(going, device=attention.device))
            attention = attention[going]
            choose.keep(going)
        attention = torch.cat([attention, attention.new_ones(len(going), 1)], dim=1)
        fed += len(going)
        logits = model(
            input_ids=torch.tensor([[latest[row]] for row in going], device=attention.device),
            attention_mask=attention,
            position_ids=attention.sum(-1, keepdim=True) - 1,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        latest = choose.next(logits)
    return answers, fed
