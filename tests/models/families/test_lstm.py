"""Small recurrent nets on frozen word vectors: what they see, what learns, what is kept; tiny, in float32."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel

import small_nets
from preceptor.engine import sequence_states
from preceptor.engine.cost import backward_factor, forward_flops
from preceptor.errors import InputError
from preceptor.models import (
    BACKBONE,
    HEAD,
    POOLS,
    CodeSetsSettings,
    LSTMSettings,
    ModelSource,
    Policy,
    SlotSettings,
    encode,
    fingerprint,
    heads_of,
    load_policy,
    load_tokenizer,
    made_settings_of,
    make_lstm,
    reads_pieces,
    start_policy,
    writes,
)

WIDTH = 8
IDS = st.lists(st.integers(5, 60), min_size=1, max_size=12)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, encoder_source: ModelSource) -> ModelSource:
    return made(encoder_source, tmp_path_factory.mktemp("made") / "small")


@pytest.fixture(scope="module")
def attending(tmp_path_factory: pytest.TempPathFactory, encoder_source: ModelSource) -> ModelSource:
    return made(encoder_source, tmp_path_factory.mktemp("made") / "attending", attention=True)


@pytest.fixture(scope="module")
def both(source: ModelSource, attending: ModelSource) -> dict[str, ModelSource]:
    return {"source": source, "attending": attending}


@pytest.fixture(scope="module")
def policy(source: ModelSource) -> Policy:
    return new(source)


def made(words: ModelSource, folder: Path, **changes: int) -> ModelSource:
    return make_lstm(
        "small", LSTMSettings(family="lstm", words=words.name, **{"width": WIDTH} | changes), words, folder
    )


def new(source: ModelSource, seed: int = 0, pool: str = "attention") -> Policy:
    slots = {HEAD: SlotSettings(type=HEAD, outputs=3, pool=pool)}
    return start_policy(source, None, slots, [BACKBONE, HEAD], seed=seed, dtype=torch.bfloat16)


def states(policy: Policy, cases: list[list[int]], at: list[int] | None = None) -> Tensor:
    (head,) = heads_of(policy.model).values()
    return sequence_states(policy.model, cases, head, share=False, at=at)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("net", ["source", "attending"])
@given(st.lists(IDS, min_size=2, max_size=5))
@settings(max_examples=10, deadline=None)
def test_trap_6_a_case_alone_has_the_state_that_it_has_in_a_padded_batch(
    both: dict[str, ModelSource], net: str, pool: str, cases: list[list[int]]
) -> None:
    """The backward direction begins at a case's own last token; neither attention nor a pool reads what fills up."""
    policy = new(both[net], pool=pool)
    with torch.no_grad():
        for head in heads_of(policy.model).values():
            if pool == "attention":
                head.query.normal_()
        together = states(policy, cases)
        for one, found in zip(cases, together, strict=True):
            torch.testing.assert_close(states(policy, [one])[0], found, atol=1e-5, rtol=0)
    assert together.dtype == torch.float32, "whatever format the study's other models have"


def test_a_token_s_state_is_that_of_torch_s_own_net_on_the_words_alone(policy: Policy) -> None:
    """Without a mask, as other programs call it, with one, and at a place that is read."""
    ids = [7, 9, 11, 30]
    with torch.no_grad():
        expected = policy.model.lstm(policy.model.words.weight[torch.tensor([ids])])[0][0]
        plain = policy.model(torch.tensor([ids]), output_hidden_states=True)
        torch.testing.assert_close(plain.last_hidden_state[0], expected, atol=1e-6, rtol=0)
        assert plain.hidden_states[-1] is plain.last_hidden_state
        read = states(policy, [ids, [*ids, 8, 8, 8], ids], at=[0, 2, 3])
    torch.testing.assert_close(read[[0, 2]], expected[[0, 3]], atol=1e-5, rtol=0)
    assert read.shape == (3, 2 * WIDTH)
    assert (read[1] - expected[2]).abs().max() > 1e-4, "what stands behind a token is seen"


def test_attention_is_the_paper_s(attending: ModelSource) -> None:
    policy, ids = new(attending), torch.tensor([[7, 9, 11, 30]])
    layer = policy.model.attention
    with torch.no_grad():
        layer.shift.fill_(0.3)
        (h,) = policy.model.lstm(policy.model.words(ids))[0]
        rows = []
        for query in h:
            weights = torch.stack([torch.tanh(query @ layer.score.weight.T @ key + 0.3) for key in h]).softmax(0)
            rows.append(sum(weight * value for weight, value in zip(weights, h, strict=True)))
        torch.testing.assert_close(policy.model(ids).last_hidden_state[0], torch.stack(rows), atol=1e-6, rtol=0)


@pytest.mark.parametrize("net", ["source", "attending"])
def test_every_weight_has_a_gradient_at_the_first_step_and_no_word_learns(
    both: dict[str, ModelSource], net: str
) -> None:
    policy = new(both[net])
    policy.model.eval()
    (head,) = heads_of(policy.model).values()
    head(states(policy, [[7, 9, 11], [30, 31]])).square().sum().backward()
    assert [name for name, one in policy.model.named_parameters() if one.grad is None or not one.grad.any()] == []
    assert policy.learning.keys() == {BACKBONE, HEAD}
    of_head = {id(one) for one in head.parameters()}
    numbers = [one.numel() for one in policy.model.parameters() if id(one) not in of_head]
    assert policy.learning[BACKBONE] == sum(numbers)
    assert policy.model.words.weight.numel() not in numbers
    assert not policy.model.words.weight.requires_grad


def test_gradients_are_computed_on_an_accelerator_too(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    """cuDNN refuses them unless it is told that the LSTM trains, and stages train in evaluation mode."""
    told, kernel = [], torch.lstm

    def spied(*given: Any) -> Any:
        told.append(given[6])
        assert given[5] == 0, "dropout: else it would not be the same"
        return kernel(*given)

    monkeypatch.setattr(torch, "lstm", spied)
    policy.model.eval()
    states(policy, [[7, 9, 11], [30, 31]])
    assert not policy.model.training
    assert told == [True] * 4, "two layers, each in two directions"


def test_its_words_are_the_encoder_s(policy: Policy, source: ModelSource, encoder_source: ModelSource) -> None:
    theirs = load_policy(encoder_source, None, dtype=torch.float32).model.get_input_embeddings().weight
    torch.testing.assert_close(policy.model.words.weight * theirs.std(), theirs, atol=1e-6, rtol=1e-5)
    assert float(policy.model.words.weight.std()) == pytest.approx(1, abs=1e-5), "whatever model they are of"
    turns = [{"role": "system", "content": "Read."}, {"role": "user", "content": "fever [SEP] since\nday 3"}]
    assert encode(policy.tokenizer, turns, None) == encode(load_tokenizer(encoder_source), turns, None)
    assert reads_pieces(policy.tokenizer)
    assert not writes(source)


def test_a_seed_draws_its_own_weights_and_the_folder_is_made_once(
    source: ModelSource, encoder_source: ModelSource
) -> None:
    """Trap 3: arms with the same seed start from the same net."""
    first, again, other = (new(source, seed).model.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["lstm.weight_hh_l0"], other["lstm.weight_hh_l0"])
    before = {file: file.stat().st_mtime_ns for file in source.location.iterdir()}
    assert made(encoder_source, source.location) == source
    assert {file: file.stat().st_mtime_ns for file in source.location.iterdir()} == before


def test_other_settings_or_words_are_another_model(
    source: ModelSource, encoder_source: ModelSource, tmp_path: Path
) -> None:
    wider = made(encoder_source, tmp_path / "wide", width=12)
    deeper = made(encoder_source, tmp_path / "deep", layers=3, attention=True)
    other = Path(tmp_path / "other")
    made(encoder_source, other)
    vectors = load_file(other / "words.safetensors")["weight"]
    save_file({"weight": vectors + 1}, other / "words.safetensors")
    moved = ModelSource("small", "small", other, "made")
    assert len({fingerprint(one) for one in (source, wider, deeper, moved)}) == 4
    assert (wider.title, deeper.title) == tuple(
        f"small (lstm, {size}, on the word vectors of tiny-bert)" for size in ("2 x 12", "3 x 8 with attention")
    )


def test_what_is_saved_gives_the_same_states_here_and_in_torch_alone(
    policy: Policy, source: ModelSource, tmp_path: Path
) -> None:
    loaded = small_nets.saved_and_loaded(policy, source, tmp_path)
    ids, tensors = [7, 9, 11, 30], load_file(tmp_path / "model" / "model.safetensors")
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    size = (config["word_size"], config["width"], config["num_hidden_layers"])
    plain = nn.LSTM(*size, batch_first=True, bidirectional=True)
    plain.load_state_dict({name[5:]: one for name, one in tensors.items() if name.startswith("lstm.")})
    with torch.no_grad():
        expected = policy.model(torch.tensor([ids])).last_hidden_state
        torch.testing.assert_close(loaded.model(torch.tensor([ids])).last_hidden_state, expected, atol=0, rtol=0)
        torch.testing.assert_close(plain(tensors["words.weight"][ids][None])[0], expected, atol=0, rtol=0)
        alone = AutoModel.from_pretrained(tmp_path / "model")
        torch.testing.assert_close(alone(torch.tensor([ids])).last_hidden_state, expected, atol=0, rtol=0)


def test_its_operations_are_those_of_its_matrices(policy: Policy) -> None:
    word, hidden = policy.model.config.word_size, 2 * WIDTH
    of_a_direction = 4 * WIDTH * (word + WIDTH) + 4 * WIDTH * (hidden + WIDTH)
    assert forward_flops(policy.model, 5, 0) == 5 * 2 * 2 * of_a_direction
    assert backward_factor(policy.model) == 3


def test_a_causal_model_has_no_words_for_it(tiny_source: ModelSource, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"models: small: words.* Name an encoder"):
        made(tiny_source, tmp_path / "none")


def test_without_weights_it_is_made_for_a_plan_alone(encoder_source: ModelSource, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in encoder_source.location.glob("*.json"):
        (bare / file.name).write_bytes(file.read_bytes())
    folder = made(replace(encoder_source, location=bare), tmp_path / "made").location
    whole = made(encoder_source, tmp_path / "whole").location
    assert (folder / "config.json").read_text() == (whole / "config.json").read_text()
    assert not list(folder.glob("*.safetensors"))


def test_settings_are_read_by_their_family() -> None:
    assert made_settings_of({"family": "codes"}) == CodeSetsSettings(family="codes")
    found = made_settings_of({"family": "lstm", "words": "all-minilm-l6-v2"})
    assert found == LSTMSettings(family="lstm", words="all-minilm-l6-v2", width=128, layers=2)
    for raw, said in (
        ({"family": "lstm"}, "words\n  Field required"),
        ({"family": "dreams"}, "'codes' or 'lstm'"),
        ({"family": "codes", "words": "x"}, "words\n  Extra inputs"),
        ({"family": ["lstm"]}, "'codes' or 'lstm'"),
    ):
        with pytest.raises(ValueError, match=said):
            made_settings_of(raw)
