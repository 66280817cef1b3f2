"""What is counted on tensors without numbers is what the same code makes of tensors with numbers."""

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, DebertaV2Config, LlamaConfig

from preceptor.engine import Unit, answer_logprobs, model_bytes, sequence_states
from preceptor.engine.estimate.memory import Live
from preceptor.models import (
    AdapterSettings,
    Encoded,
    Head,
    ModelSource,
    SlotSettings,
    adapter_slots,
    find_blueprint,
    random_model,
)

LAYERS = 6


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    """A Llama with more layers than the two sizes that are counted, and three heads a key."""
    folder = tmp_path_factory.mktemp("model")
    LlamaConfig(
        vocab_size=300,
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=LAYERS,
        num_attention_heads=6,
        num_key_value_heads=2,
        tie_word_embeddings=True,
    ).save_pretrained(folder)
    return find_blueprint(str(folder))


@pytest.mark.parametrize("adapter", [AdapterSettings(rank=4), None])
@pytest.mark.parametrize(("dtype", "tokens"), [(torch.float32, 200), (torch.bfloat16, 700)])
def test_a_tree_forward_and_backward(
    source: ModelSource, adapter: AdapterSettings | None, dtype: torch.dtype, tokens: int
) -> None:
    model = random_model(source, adapter_slots(adapter), dtype)
    with Live(model) as live:
        loss = answer_logprobs(model, [Encoded([1] * (tokens - 20), [2] * 20)])[0].sum()
        held = live.now
        loss.backward()
        peak = live.peak
    counted = model_bytes(source, tuple(adapter_slots(adapter).items()), dtype, tokens)
    assert counted.saved * tokens == pytest.approx(held, rel=0.02)
    expected = counted.peak(Unit("train", held=tokens, rows=20)) - counted.weights
    # Gradients and averages are not there yet.
    assert (expected - counted.learning) * 0.97 < peak < expected * 1.03


@pytest.mark.parametrize("kind", ["PROMPT_TUNING", "PREFIX_TUNING"])
def test_a_tree_behind_vectors(source: ModelSource, kind: str) -> None:
    """Float32. Of a prefix, a model of one layer does not hold quite half of what one of two holds."""
    slots = {"soft": SlotSettings(type=kind, num_virtual_tokens=50)}
    model, tokens = random_model(source, slots, torch.float32), 200
    with Live(model) as live:
        loss = answer_logprobs(model, [Encoded([1] * (tokens - 20), [2] * 20)])[0].sum()
        held = live.now
        loss.backward()
        peak = live.peak
    counted = model_bytes(source, tuple(slots.items()), torch.float32, tokens)
    assert counted.saved * tokens == pytest.approx(held, rel=0.03)
    expected = counted.peak(Unit("train", held=tokens, rows=20)) - counted.weights
    assert (expected - counted.learning) * 0.97 < peak < expected * 1.03
    plain = model_bytes(source, (), torch.float32, tokens)
    assert counted.cached == pytest.approx(plain.cached * (tokens + 50) / tokens)


@pytest.mark.parametrize("adapter", [AdapterSettings(rank=4), None])
def test_a_batch_of_an_encoder_forward_and_backward(tmp_path: Path, adapter: AdapterSettings | None) -> None:
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": LAYERS, "num_attention_heads": 6}
    BertConfig(vocab_size=300, max_position_embeddings=64, **sizes).save_pretrained(tmp_path)
    source = find_blueprint(str(tmp_path))
    slots = adapter_slots(adapter)
    model, head, sequences = random_model(source, slots, torch.float32), Head(48, 3, "mean"), [[1] * 64] * 8
    with Live(model) as live:
        loss = head(sequence_states(model, sequences, head, share=False)).sum()
        held = live.now
        loss.backward()
        peak = live.peak
    counted = model_bytes(source, tuple(slots.items()), torch.float32, 8 * 64)
    assert counted.saved * 8 * 64 == pytest.approx(held, rel=0.05)
    expected = counted.peak(Unit("train", held=8 * 64)) - counted.weights - counted.learning
    assert expected * 0.9 < peak < expected * 1.1


def test_long_cases_in_chunks_take_the_memory_of_short_sequences(tmp_path: Path) -> None:
    """DeBERTa writes the scores of its attention out, so that a token takes more the longer its sequence is."""
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": LAYERS, "num_attention_heads": 6}
    DebertaV2Config(vocab_size=300, max_position_embeddings=512, **sizes).save_pretrained(tmp_path)
    source = find_blueprint(str(tmp_path))
    whole, chunked = (
        model_bytes(source, (("head", SlotSettings(type="head", outputs=3, **chunks)),), torch.float32, 512)
        for chunks in ({}, {"chunk_length": 32})
    )
    assert chunked.forward < whole.forward


def test_without_gradients_there_is_little(source: ModelSource) -> None:
    adapter = AdapterSettings(rank=4)
    model = random_model(source, adapter_slots(adapter), torch.float32)
    with torch.no_grad(), Live(model) as live:
        answer_logprobs(model, [Encoded([1] * 480, [2] * 20)])
        peak = live.peak
    counted = model_bytes(source, tuple(adapter_slots(adapter).items()), torch.float32, 500)
    scored = counted.peak(Unit("score", held=500, rows=20)) - counted.weights
    assert scored == pytest.approx(peak, rel=0.1)
    read, trained = (counted.peak(Unit(kind, held=500, rows=20)) - counted.weights for kind in ("read", "train"))
    assert scored < read < trained / 2
    assert counted.cached == LAYERS * 2 * 2 * 8 * 4


def test_processes_share_what_is_trained(source: ModelSource) -> None:
    counted = model_bytes(source, (), torch.float32, 500)
    one, four = (counted.peak(Unit("train", held=50, rows=20), processes) for processes in (1, 4))
    assert counted.weights < four < one
    assert counted.peak(Unit("write", held=50), 4) == counted.peak(Unit("write", held=50))


def test_folder_of_the_source_needs_no_weights(source: ModelSource) -> None:
    assert [file.name for file in Path(source.location).iterdir()] == ["config.json"]
