from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, MistralConfig

from engine.families import VOCABULARY, new_model
from preceptor.engine import Cost, Sampling, generate
from preceptor.engine.write.generate import generation_batches
from preceptor.models import ModelSource, Policy, SlotSettings, start_policy

NEW_TOKENS = 10
SHARED = list(range(100, 130))
PROMPTS = [[*SHARED, *range(200 + 7 * n, 200 + 7 * n + 1 + n % 5)] for n in range(9)]
NOTHING_SHARED = [[50 + n, *range(200 + 7 * n, 200 + 7 * n + 1 + n % 5)] for n in range(9)]
ONE_IS_THE_BEGINNING_OF_ALL = [SHARED, *PROMPTS[:4]]


@pytest.fixture(scope="module")
def policy(make_policy: Callable[..., Policy]) -> Policy:
    return make_policy(tuned=1)


def answers(policy: Policy, prompts: Sequence[list[int]], stop: frozenset[int], **options: Any) -> list[list[int]]:
    found: dict[int, list[int]] = {}

    def keep(batch: list[int], ids: list[list[int]]) -> None:
        found.update(zip(batch, ids, strict=True))

    generate(policy, prompts, max_new_tokens=NEW_TOKENS, stop=stop, on_batch=keep, **options)
    return [found[i] for i in sorted(found)]


@torch.no_grad()
def one_by_one(policy: Policy, prompts: Sequence[list[int]], stop: frozenset[int]) -> list[list[int]]:
    """What transformers itself answers to each prompt alone."""
    found = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        whole = policy.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            eos_token_id=sorted(stop),
            pad_token_id=0,
        )[0]
        answer = whole[len(prompt) :].tolist()
        found.append(answer[:-1] if answer[-1] in stop else answer)
    return found


def some_stops(policy: Policy, prompts: Sequence[list[int]]) -> frozenset[int]:
    """Tokens that end some answers at once, some half way, and leave some alone."""
    free = answers(policy, prompts, frozenset())
    return frozenset({free[0][0], free[1][4], free[2][7]})


@pytest.mark.parametrize("rows", [1, 4, 16])
@pytest.mark.parametrize(
    "prompts",
    [PROMPTS, NOTHING_SHARED, ONE_IS_THE_BEGINNING_OF_ALL, PROMPTS[:1], [SHARED, SHARED]],
    ids=["shared", "nothing shared", "one is the beginning of all", "one prompt", "twice the same"],
)
def test_it_answers_as_transformers_does(prompts: list[list[int]], rows: int, policy: Policy) -> None:
    stop = some_stops(policy, PROMPTS)
    expected = one_by_one(policy, prompts, stop)
    assert answers(policy, prompts, stop, rows=rows) == expected


@pytest.mark.parametrize(
    "slot",
    [
        SlotSettings(type="PROMPT_TUNING", num_virtual_tokens=5),
        SlotSettings(type="P_TUNING", num_virtual_tokens=5, encoder_hidden_size=8),
        SlotSettings(type="PREFIX_TUNING", num_virtual_tokens=5),
        SlotSettings(type="PREFIX_TUNING", num_virtual_tokens=5, prefix_projection=True, encoder_hidden_size=8),
    ],
    ids=["prompt tuning", "p-tuning", "prefix tuning", "prefix tuning by a projection"],
)
def test_behind_vectors_it_answers_as_pefts_own_code_does(
    slot: SlotSettings, tiny_source: ModelSource, sharpen: Callable[[nn.Module], Any]
) -> None:
    """Float32. The plain path reads one prompt with PEFT's own forward, and goes on from its cache."""
    policy = start_policy(tiny_source, None, {"soft": slot}, ["soft"], seed=0, dtype=torch.float32)
    sharpen(policy.model.get_base_model())
    together = answers(policy, PROMPTS, frozenset())
    assert policy.shares_prefixes is True
    stop = some_stops(policy, PROMPTS)
    assert len({len(one) for one in answers(policy, PROMPTS, stop)}) > 2
    for rows in (1, 4):
        assert answers(policy, PROMPTS, frozenset(), rows=rows) == together
    policy.shares_prefixes = False
    assert answers(policy, PROMPTS, frozenset()) == together
    greedy: list[list[int]] = []
    with torch.no_grad():
        for prompt in PROMPTS:  # without any cache
            ids = list(prompt)
            for _ in range(NEW_TOKENS):
                ids.append(int(policy.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
            greedy.append(ids[len(prompt) :])
    assert greedy == together


def test_these_answers_end_at_different_times(policy: Policy) -> None:
    lengths = {len(answer) for answer in answers(policy, PROMPTS, some_stops(policy, PROMPTS))}
    assert min(lengths) == 0
    assert max(lengths) == NEW_TOKENS
    assert len(lengths) > 2


def test_what_is_done_is_skipped_and_changes_nothing(policy: Policy) -> None:
    stop = some_stops(policy, PROMPTS)
    whole = answers(policy, PROMPTS, stop, rows=4)
    first, *rest = generation_batches(PROMPTS, 4, NEW_TOKENS)
    left = answers(policy, PROMPTS, stop, rows=4, done=frozenset(first))
    assert left == [whole[i] for i in sorted(i for batch in rest for i in batch)]
    # A batch that is not wholly done is answered again, whole.
    assert answers(policy, PROMPTS, stop, rows=4, done=frozenset(first[1:])) == whole
    assert answers(policy, PROMPTS, stop, rows=4, done=frozenset(range(9))) == []


def test_batches_hold_each_prompt_once_and_are_alike_in_length() -> None:
    batches = generation_batches(PROMPTS, 4, NEW_TOKENS)
    order = [i for batch in batches for i in batch]
    assert sorted(order) == list(range(9))
    assert [len(batch) for batch in batches] == [4, 4, 1]
    assert sorted(order, key=lambda i: len(PROMPTS[i])) == order


def test_the_room_that_is_kept_for_answers_counts_in_a_batch() -> None:
    prompts = [[1] * 100] * 32
    assert [len(batch) for batch in generation_batches(prompts, 32, 0, tokens=3200)] == [32]
    for max_new_tokens in (60, 4096):
        for batch in generation_batches(prompts, 32, max_new_tokens, tokens=3200):
            assert len(batch) == 1 or len(batch) * (100 + max_new_tokens) <= 3200


def test_a_model_with_a_window_answers_as_it_does_one_by_one(
    policy: Policy, sharpen: Callable[[nn.Module], Any]
) -> None:
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        sliding_window=8,
    )
    model = sharpen(AutoModelForCausalLM.from_config(config, attn_implementation="sdpa"))
    window = Policy(model, policy.tokenizer, policy.source)
    assert answers(window, PROMPTS[:3], frozenset({1})) == one_by_one(window, PROMPTS[:3], frozenset({1}))


def test_cost_counts_what_is_shared_once(policy: Policy) -> None:
    def cost(prompts: list[list[int]]) -> Cost:
        return generate(
            policy, prompts, max_new_tokens=1, stop=frozenset(), on_batch=lambda batch, ids: None, rows=len(prompts)
        )

    one, all_of_them = cost(PROMPTS[:1]), cost(PROMPTS)
    suffixes = sum(len(prompt) - len(SHARED) for prompt in PROMPTS)
    # The first token comes from the prompt's own last state, and one token is all that is asked for.
    assert one.tokens_computed == len(PROMPTS[0])
    assert all_of_them.tokens_computed == len(SHARED) + suffixes
    assert all_of_them.tokens_seen == sum(map(len, PROMPTS))
    assert all_of_them.seconds > 0
    assert all_of_them.flops > one.flops > 0


def drawn(policy: Policy, prompts: Sequence[list[int]], temperature: float, **options: Any) -> list[list[int]]:
    sampling = Sampling(temperature, [1000 + n for n in range(len(prompts))])
    return answers(policy, prompts, frozenset({3}), sampling=sampling, **options)


def test_what_is_drawn_for_a_prompt_depends_on_its_own_seed_alone(policy: Policy) -> None:
    prompts = [prompt for prompt in PROMPTS for _ in range(2)]
    whole = drawn(policy, prompts, 1.0)
    assert drawn(policy, prompts, 1.0, rows=1) == whole
    assert drawn(policy, prompts, 1.0, rows=5) == whole
    assert all(a != b for a, b in zip(whole[0::2], whole[1::2], strict=True)), "two seeds drew alike"


def test_a_low_temperature_leaves_the_likeliest(policy: Policy) -> None:
    assert drawn(policy, PROMPTS, 1e-4) == answers(policy, PROMPTS, frozenset({3}))


@pytest.mark.parametrize("family", ["llama", "gemma2"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_tokens_are_drawn_as_often_as_the_model_finds_them_likely(
    family: str, temperature: float, policy: Policy, sharpen: Callable[[nn.Module], Any]
) -> None:
    model = sharpen(new_model(family))
    some = Policy(model, policy.tokenizer, policy.source)
    prompt, times, found = [5, 6, 7, 8], 4000, list[int]()
    generate(
        some,
        [prompt] * times,
        max_new_tokens=2,
        stop=frozenset(),
        rows=2000,
        sampling=Sampling(temperature, range(times)),
        on_batch=lambda _, ids: found.extend(answer[0] for answer in ids),
    )
    with torch.no_grad():
        odds = (model(torch.tensor([prompt])).logits[0, -1].double() / temperature).softmax(-1)
    seen = torch.tensor(found).bincount(minlength=VOCABULARY) / times
    # Four standard errors of a share, and a little for the tokens that hardly ever come.
    assert torch.all((seen - odds).abs() <= 4 * (odds * (1 - odds) / times).sqrt() + 2 / times)
    assert odds.max() < 0.99


def test_who_watches_sees_every_token_with_its_logits_and_changes_nothing(policy: Policy) -> None:
    stop = some_stops(policy, PROMPTS)
    seen: list[list[int]] = [[] for _ in PROMPTS]

    def watch(prompts: list[int], tokens: list[int], logits: torch.Tensor) -> tuple[int, ...]:
        assert logits.argmax(-1).tolist() == tokens
        for prompt, token in zip(prompts, tokens, strict=True):
            seen[prompt].append(token)
        return ()

    found = answers(policy, PROMPTS, stop, rows=4, on_token=watch)
    assert found == answers(policy, PROMPTS, stop, rows=4)
    ended = [len(answer) < NEW_TOKENS for answer in found]
    assert seen == [
        ids if not end else [*ids, seen[i][-1]] for i, (ids, end) in enumerate(zip(found, ended, strict=True))
    ]
    assert all(tokens[-1] in stop for tokens, end in zip(seen, ended, strict=True) if end)


@pytest.mark.parametrize("rows", [1, 4])
def test_a_prompt_that_needs_no_more_leaves_and_the_others_go_on(rows: int, policy: Policy) -> None:
    whole = answers(policy, PROMPTS, frozenset(), rows=rows)
    seen = [0] * len(PROMPTS)

    def watch(prompts: list[int], tokens: list[int], logits: torch.Tensor) -> list[int]:
        for prompt in prompts:
            seen[prompt] += 1
        return [prompt for prompt in prompts if seen[prompt] > prompt]

    found = answers(policy, PROMPTS, frozenset(), rows=rows, on_token=watch)
    assert found == [answer[: i + 1] for i, answer in enumerate(whole)]
    assert seen == [i + 1 for i in range(len(PROMPTS))]
