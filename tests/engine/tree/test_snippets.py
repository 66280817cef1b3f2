"""A case in snippets: what an encoder reads of each, and how a head weighs them. Tiny random BERT, in float32."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from moved_slots import start
from preceptor.engine import sequence_states, states_of_snippets
from preceptor.models import (
    HEAD,
    SNIPPET_POOLS,
    ModelSource,
    Policy,
    SlotSettings,
    encode,
    heads_of,
    load_policy,
    load_tokenizer,
    pieces_read,
    save_policy,
    saved_slots,
    snippets_of,
    start_policy,
)
from preceptor.text_pieces import join_pieces


@pytest.fixture(scope="module")
def tokenizer(encoder_source: ModelSource) -> Any:
    return load_tokenizer(encoder_source)


def prompt(tokenizer: Any, *snippets: str) -> list[int]:
    return encode(tokenizer, [{"role": "user", "content": join_pieces(snippets)}], None).prompt


def logits(policy: Policy, prompts: list[list[int]]) -> Tensor:
    head = heads_of(policy.model)["head"]
    out: Tensor = head(sequence_states(policy.model, prompts, head, share=False))
    return out


NOTES = ["fever with dysuria", "no chest pain since day 3", "creatinine 1.2", "warfarin stopped. a [SEP] [CLS] b", "a"]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60))
def test_a_plain_text_is_encoded_as_the_tokenizer_does(tokenizer: Any, text: str) -> None:
    text = text.replace("\x1e", " ")
    found = encode(tokenizer, [{"role": "system", "content": "i"}, {"role": "user", "content": text}], None).prompt
    assert found == tokenizer(text, split_special_tokens=True, truncation=False)["input_ids"]
    assert snippets_of(found) == [found]


def test_trap_6_each_snippet_stands_between_the_first_token_and_the_last(tokenizer: Any) -> None:
    """Trap 6: what is read of a snippet is its own text; one that spells control tokens has none."""
    found = snippets_of(prompt(tokenizer, *NOTES))
    assert found == [prompt(tokenizer, one) for one in NOTES]
    for ids, text in zip(found, NOTES, strict=True):
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        assert tokenizer.cls_token_id not in ids[1:]
        assert tokenizer.decode(ids[1:-1]).replace(" ", "").replace("##", "") == text.replace(" ", "").lower()
    assert pieces_read(SlotSettings(type=HEAD, pool="snippet_mean")) is snippets_of


@pytest.mark.parametrize("pool", SNIPPET_POOLS)
def test_trap_1_snippets_that_are_not_there_take_no_part(
    encoder_source: ModelSource, tokenizer: Any, pool: str
) -> None:
    """Trap 1: three snippets where eight may be give what three alone do, bit for bit; beside cases of other numbers,
    in padded batches, to 1e-5. Trap 8: of one snippet and of an empty text too.
    """
    policy, three = start(encoder_source, pool), NOTES[:3]
    prompts = [prompt(tokenizer, *some) for some in (three, NOTES * 2, NOTES[:1], [""], NOTES[1:3])]
    with torch.no_grad():
        padded = prompt(tokenizer, *three, "", "", " ", "", "")
        assert torch.equal(logits(policy, [padded]), logits(policy, [prompts[0]]))
        alone = torch.cat([logits(policy, [one]) for one in prompts])
        torch.testing.assert_close(logits(policy, prompts), alone, atol=1e-5, rtol=1e-5)
        head, states = (
            heads_of(policy.model)["head"],
            states_of_snippets(policy.model, prompts, heads_of(policy.model)["head"]),
        )
        assert list(map(len, states)) == [3, 10, 1, 1, 2]
        weights = [head.snippet_weights(one) for one in states]
        assert all(float(one.sum()) == pytest.approx(1) for one in weights)
        assert torch.equal(weights[0], head.snippet_weights(states[0].clone()))
        assert torch.equal(head(head.of_snippets(states[2])), head(states[2][0]))


def test_the_pools_by_hand(encoder_source: ModelSource, tokenizer: Any) -> None:
    ids = prompt(tokenizer, *NOTES)
    for pool in SNIPPET_POOLS:
        policy = start(encoder_source, pool)
        head = heads_of(policy.model)["head"]
        with torch.no_grad():
            own = [policy.model(input_ids=torch.tensor([one])).last_hidden_state[0].mean(0) for one in snippets_of(ids)]
            states = torch.stack(own)
            scores = (
                torch.tensor([float(head.query @ torch.tanh(head.inner @ one)) for one in own])
                if "att" in pool
                else None
            )
            weights = torch.full((5,), 0.2) if scores is None else scores.softmax(0)
            (found,) = sequence_states(policy.model, [ids], head, share=False)
        torch.testing.assert_close(found, (weights[:, None] * states).sum(0), atol=1e-5, rtol=1e-5)


def test_an_attention_over_snippets_begins_as_their_mean_and_all_of_it_learns(
    encoder_source: ModelSource, tokenizer: Any
) -> None:
    slots = {"head": SlotSettings(type=HEAD, outputs=2, pool="snippet_attention")}
    policy = start_policy(encoder_source, None, slots, ["head"], seed=0, dtype=torch.float32)
    head = heads_of(policy.model)["head"]
    states = torch.randn(5, 48, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(head.pooled(list(states[:, None])), states.mean(0))
    step = torch.optim.SGD(head.parameters(), lr=0.1)
    for expected in ({"weight", "bias", "query"}, {"weight", "bias", "query", "inner"}):
        step.zero_grad()
        head(head.of_snippets(states)).log_softmax(-1)[0].backward()
        learns = {name for name, weight in head.named_parameters() if weight.grad is not None and weight.grad.any()}
        assert learns == expected
        step.step()


@pytest.mark.parametrize("pool", SNIPPET_POOLS)
def test_a_saved_head_weighs_as_it_did(encoder_source: ModelSource, tokenizer: Any, tmp_path: Path, pool: str) -> None:
    policy, ids = start(encoder_source, pool), prompt(tokenizer, *NOTES)
    save_policy(policy, tmp_path)
    assert saved_slots(tmp_path)["head"] == policy.slots["head"]
    again = load_policy(encoder_source, tmp_path, dtype=torch.float32)
    again.model.eval()
    with torch.no_grad():
        assert torch.equal(logits(again, [ids]), logits(policy, [ids]))


def test_a_pool_over_snippets_reads_no_chunks() -> None:
    with pytest.raises(ValidationError, match="snippet_mean reads each snippet in one piece"):
        SlotSettings(type=HEAD, pool="snippet_mean", chunk_length=64)
