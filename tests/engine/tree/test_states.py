"""What a head reads of a sequence: alone and in a padded batch, of every family of encoders, float32 unless said."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import (
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
)

from moved_slots import start
from preceptor.engine import sequence_states
from preceptor.engine.cost import Cost, forward_flops
from preceptor.engine.tree.states import is_encoder
from preceptor.models import (
    HEAD,
    POOLS,
    Chunks,
    ModelSource,
    Policy,
    Slot,
    SlotSettings,
    context_length,
    encode,
    find_model,
    heads_of,
    load_tokenizer,
    rows_read,
    slot_weights,
    start_policy,
)
from tiny_model import build_tiny_encoder

SIZES: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
LONG = 64
CONFIGS: dict[str, Callable[[], Any]] = {
    "bert": lambda: BertConfig(**SIZES, max_position_embeddings=LONG),
    "deberta-v2": lambda: DebertaV2Config(
        **SIZES, max_position_embeddings=LONG, relative_attention=True, pos_att_type=["c2p", "p2c"], position_buckets=16
    ),
    "distilbert": lambda: DistilBertConfig(dim=48, n_layers=2, n_heads=4, hidden_dim=96, max_position_embeddings=LONG),
    "electra": lambda: ElectraConfig(**SIZES, embedding_size=32, max_position_embeddings=LONG),
    "modernbert": lambda: ModernBertConfig(
        **SIZES,
        max_position_embeddings=LONG,
        local_attention=8,
        global_attn_every_n_layers=2,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        cls_token_id=2,
        sep_token_id=3,
    ),
    "mpnet": lambda: MPNetConfig(**SIZES, max_position_embeddings=LONG),
    "roberta": lambda: RobertaConfig(**SIZES, max_position_embeddings=LONG),
}
SEQUENCES = [
    [2, *(5 + (7 * n + k) % 90 for n in range(length)), 3] for k, length in enumerate((1, 40, 7, 39, 0, 40, 22))
]


@pytest.fixture(scope="module", params=CONFIGS)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    """A tiny random encoder of each kind."""
    folder = tmp_path_factory.mktemp("encoders") / request.param
    return find_model(str(build_tiny_encoder(folder, config=CONFIGS[request.param]())))


def logits(policy: Policy, groups: Sequence[Sequence[list[int]]]) -> Tensor:
    head = heads_of(policy.model)["head"]
    return torch.cat([head(sequence_states(policy.model, some, head, share=False)) for some in groups])


def trained(policy: Policy, groups: Sequence[Sequence[list[int]]]) -> dict[str, Tensor]:
    """The gradients of a loss over all sequences, by the weights that learn."""
    policy.model.zero_grad()
    logits(policy, groups).log_softmax(-1)[:, 1].sum().backward()
    return {name: one.grad.clone() for name, one in policy.model.named_parameters() if one.grad is not None}


def assert_alone_as_in_a_batch(policy: Policy, sequences: Sequence[list[int]]) -> None:
    """Outputs and gradients are the same to 1e-5 in float32, and all that learns has one."""
    alone, batch = [[one] for one in sequences], [sequences]
    with torch.no_grad():
        torch.testing.assert_close(logits(policy, batch), logits(policy, alone), atol=1e-5, rtol=1e-5)
    found, expected = trained(policy, batch), trained(policy, alone)
    learns = {path for name in policy.slots for path in slot_weights(policy.model, name)}
    assert found.keys() == expected.keys() == learns
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=1e-5, msg=name)


@pytest.mark.parametrize("pool", POOLS)
def test_a_case_alone_is_the_case_in_a_padded_batch(source: ModelSource, pool: str) -> None:
    assert_alone_as_in_a_batch(start(source, pool), SEQUENCES)


LONGER = [[2, *(5 + (7 * n + k) % 90 for n in range(length)), 3] for k, length in enumerate((150, 3, 62, 99, 0, 200))]


@pytest.mark.parametrize("pool", POOLS)
def test_a_case_longer_than_the_positions_alone_is_the_case_in_a_padded_batch(source: ModelSource, pool: str) -> None:
    assert_alone_as_in_a_batch(start(source, pool, chunk_length=40, chunk_overlap=7), LONGER)


@pytest.mark.parametrize("pool", POOLS)
def test_a_long_case_is_pooled_over_all_its_chunks(encoder_source: ModelSource, pool: str) -> None:
    policy, ids = start(encoder_source, pool, chunk_length=40, chunk_overlap=7), LONGER[0]
    head = heads_of(policy.model)["head"]
    chunks = Chunks(40, 7).of(ids)
    assert len(chunks) == 5
    with torch.no_grad():
        (found,) = sequence_states(policy.model, [ids], head, share=False)
        own = [policy.model(input_ids=torch.tensor([one])).last_hidden_state[0] for one in chunks]
    every = torch.cat(own)
    expected = {
        "first": torch.stack([states[0] for states in own]).mean(0),
        "last": torch.stack([states[-1] for states in own]).mean(0),
        "mean": every.mean(0),
    }
    expected["attention"] = (
        (every @ head.query / 48**0.5).softmax(0).detach() @ every if pool == "attention" else expected["mean"]
    )
    torch.testing.assert_close(found, expected[pool], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_cases_that_fit_are_read_to_the_bit_as_without_chunks(encoder_source: ModelSource, pool: str) -> None:
    whole, chunked = (start(encoder_source, pool, **chunks) for chunks in ({}, {"chunk_length": 42}))
    with torch.no_grad():
        assert torch.equal(logits(whole, [SEQUENCES]), logits(chunked, [SEQUENCES]))
    first, second = trained(whole, [SEQUENCES]), trained(chunked, [SEQUENCES])
    assert all(torch.equal(gradient, second[name]) for name, gradient in first.items())


def test_a_long_case_costs_its_chunks(encoder_source: ModelSource) -> None:
    policy, cost = start(encoder_source, "mean", chunk_length=40, chunk_overlap=7), Cost()
    with torch.no_grad():
        sequence_states(policy.model, LONGER[:2], heads_of(policy.model)["head"], share=False, cost=cost)
    chunks = [*Chunks(40, 7).of(LONGER[0]), LONGER[1]]
    longest = max(map(len, chunks))
    assert cost.tokens_seen == sum(map(len, chunks)) == 150 + 4 * 7 + 5 * 2 + 5
    assert cost.tokens_computed == len(chunks) * longest
    assert cost.flops == forward_flops(policy.model, len(chunks) * longest, 0, head_rows=2)


def test_it_is_what_the_models_own_code_makes_of_the_case(source: ModelSource) -> None:
    policy = start(source, "last")
    with torch.no_grad():
        found = sequence_states(policy.model, SEQUENCES, heads_of(policy.model)["head"], share=False)
        for one, state in zip(SEQUENCES, found, strict=True):
            own = policy.model(input_ids=torch.tensor([one])).last_hidden_state[0, -1]
            torch.testing.assert_close(state, own, atol=1e-5, rtol=1e-5)


def test_a_sequence_as_long_as_the_context_is_computed(source: ModelSource) -> None:
    longest = context_length(source)
    assert longest is not None
    assert LONG - 2 <= longest <= LONG
    policy = start(source, "mean")
    with torch.no_grad():
        assert logits(policy, [[[5] * longest, [2, 3]]]).isfinite().all()
    if source.title in ("roberta", "mpnet", "bert"):  # the others have no table of positions to run out of
        with pytest.raises((IndexError, RuntimeError)):
            logits(policy, [[[5] * (longest + 1)]])


@pytest.mark.parametrize(
    "soft",
    [
        SlotSettings(type="PROMPT_TUNING", num_virtual_tokens=4),
        SlotSettings(type="P_TUNING", num_virtual_tokens=4, encoder_hidden_size=8),
    ],
    ids=lambda slot: slot.type,
)
def test_vectors_in_front_are_no_part_of_what_is_read(encoder_source: ModelSource, soft: Slot) -> None:
    for pool in POOLS:
        policy = start(encoder_source, pool, soft)
        with torch.no_grad():
            together, alone = logits(policy, [SEQUENCES]), logits(policy, [[one] for one in SEQUENCES])
            torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
            head = heads_of(policy.model)["head"]
            own = policy.model(input_ids=torch.tensor([SEQUENCES[2]])).last_hidden_state[0, 4:]
            rows = rows_read(pool, len(SEQUENCES[2]))
            expected = head(head.pooled([own[rows.start : rows.stop]]))
        torch.testing.assert_close(together[2], expected, atol=1e-5, rtol=1e-5)


def test_in_bfloat16_a_batch_moves_a_state_by_its_rounding(encoder_source: ModelSource) -> None:
    """bfloat16: states of about 1 are rounded to 1/128, and a few such roundings add up."""
    policy = start(encoder_source, "mean", dtype=torch.bfloat16)
    head = heads_of(policy.model)["head"]
    with torch.no_grad():
        together = sequence_states(policy.model, SEQUENCES, head, share=False)
        alone = torch.cat([sequence_states(policy.model, [one], head, share=False) for one in SEQUENCES])
    assert together.dtype == torch.float32
    assert float((together - alone).abs().max()) < 0.05


@pytest.mark.parametrize("pool", POOLS)
def test_of_a_causal_model_a_tree_has_the_rows_of_each_sequence(tiny_source: ModelSource, pool: str) -> None:
    policy = start(tiny_source, pool)
    sequences = [[5, 6, 7, 8], [5, 6, 9], [5, 6, 7, 8, 10, 11], [12]]
    head = heads_of(policy.model)["head"]
    with torch.no_grad():
        tree, alone = (sequence_states(policy.model, sequences, head, share=share) for share in (True, False))
        own = [policy.model(input_ids=torch.tensor([one]), output_hidden_states=True) for one in sequences]
    assert not is_encoder(policy.model)
    torch.testing.assert_close(tree, alone, atol=1e-5, rtol=1e-5)
    by_hand = {
        "first": lambda states: states[0],
        "last": lambda states: states[-1],
        "mean": lambda states: states.mean(0),
        "attention": lambda states: (states * (states @ head.query / 48**0.5).softmax(0)[:, None]).sum(0),
    }[pool]
    expected = torch.stack([by_hand(one.hidden_states[-1][0]) for one in own])
    torch.testing.assert_close(alone, expected.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("share", [True, False])
def test_a_prompt_that_ends_in_the_padding_token_is_read_at_its_end(
    tiny_source: ModelSource, pool: str, share: bool
) -> None:
    """P1-11: where padding is the end token, "the last token that is none" is not a prompt's last token."""
    policy = start(tiny_source, pool)
    pad, head = policy.tokenizer.pad_token_id, heads_of(policy.model)["head"]
    sequences = [[5, 6, 7, pad], [5, 6, 7], [5, 6, 7, pad, pad], [8, pad, 9, 10, 11, 12]]
    with torch.no_grad():
        together = sequence_states(policy.model, sequences, head, share=share)
        alone = torch.cat([sequence_states(policy.model, [one], head, share=share) for one in sequences])
        last = policy.model(input_ids=torch.tensor([sequences[0]]), output_hidden_states=True).hidden_states[-1][0, -1]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    if pool == "last":
        torch.testing.assert_close(together[0], last, atol=1e-5, rtol=1e-5)
    if pool != "first":
        assert not torch.allclose(together[0], together[1], atol=1e-3)


def test_the_rows_that_are_read_are_these_tokens(encoder_source: ModelSource, tiny_source: ModelSource) -> None:
    turns = [{"role": "system", "content": "Answer."}, {"role": "user", "content": "fever and dysuria"}]
    found = {}
    for name, source in (("encoder", encoder_source), ("causal", tiny_source)):
        tokenizer = load_tokenizer(source)
        prompt = encode(tokenizer, turns, None).prompt
        for pool in POOLS:
            found[name, pool] = tokenizer.decode([prompt[row] for row in rows_read(pool, len(prompt))])
        assert found[name, "mean"] == found[name, "attention"] == tokenizer.decode(prompt)
    assert found["encoder", "first"] == "[CLS]"
    assert found["encoder", "last"] == "[SEP]"
    assert found["causal", "first"] == "<|im_start|>"
    assert found["causal", "last"] == "\n", "the end of the line that opens the answer"
    assert found["causal", "mean"].endswith("<|im_start|>assistant\n")


def test_a_batch_costs_what_is_computed_its_padding_too(encoder_source: ModelSource) -> None:
    policy, cost = start(encoder_source, "mean"), Cost()
    with torch.no_grad():
        sequence_states(policy.model, SEQUENCES, heads_of(policy.model)["head"], share=False, cost=cost)
    assert cost.tokens_seen == sum(map(len, SEQUENCES))
    assert cost.tokens_computed == 7 * 42
    assert cost.flops == forward_flops(policy.model, 7 * 42, 0, head_rows=7)


def test_an_encoder_that_begins_as_a_mean_learns_where_to_look(encoder_source: ModelSource) -> None:
    slots = {"head": SlotSettings(type=HEAD, outputs=2, pool="attention")}
    policy = start_policy(encoder_source, None, slots, ["head"], seed=0, dtype=torch.float32)
    head = heads_of(policy.model)["head"]
    states = torch.randn(5, 48, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(head.pooled([states]), states.mean(0))
    head(head.pooled([states]))[0].backward()
    assert head.query.grad is not None
    assert head.query.grad.any()


PLACES = [len(one) // 2 for one in SEQUENCES]


@pytest.mark.parametrize("model", ["bert", "llama", "llama as a tree"])
def test_a_named_token_is_read_alone_as_in_a_batch_and_as_the_models_own_code_has_it(
    encoder_source: ModelSource, tiny_source: ModelSource, model: str
) -> None:
    """Trap 6 of docs/ABBREVIATIONS.md: no padding is seen, whichever token is read."""
    policy, share = start(encoder_source if model == "bert" else tiny_source, "mean"), model.endswith("tree")
    head = heads_of(policy.model)["head"]
    with torch.no_grad():
        together = sequence_states(policy.model, SEQUENCES, head, share=share, at=PLACES)
        for one, place, state in zip(SEQUENCES, PLACES, together, strict=True):
            (alone,) = sequence_states(policy.model, [one], head, share=share, at=[place])
            own = policy.model(input_ids=torch.tensor([one]), output_hidden_states=True).hidden_states[-1][0, place]
            torch.testing.assert_close(state, alone, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(state, own, atol=1e-5, rtol=1e-5)


def test_a_token_outside_its_sequence_is_refused(encoder_source: ModelSource) -> None:
    """Trap 2 of docs/ABBREVIATIONS.md."""
    policy = start(encoder_source, "mean")
    with pytest.raises(ValueError, match="outside its sequence"):
        sequence_states(policy.model, [[2, 5, 3]], heads_of(policy.model)["head"], share=False, at=[3])
