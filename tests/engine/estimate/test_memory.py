"""What is counted on tensors without numbers is what the same code makes of tensors with numbers."""

from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from preceptor.engine import answer_logprobs, head_bytes, tree_bytes
from preceptor.engine.estimate.tree_memory import _counting
from preceptor.models import AdapterSettings, Encoded, ModelSource, blueprint, find_blueprint, random_model

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


@pytest.mark.parametrize(("dtype", "tokens"), [(torch.float32, 200), (torch.bfloat16, 700)])
def test_an_adapter_on_a_tree(source: ModelSource, dtype: torch.dtype, tokens: int) -> None:
    adapter = AdapterSettings(rank=4)
    model = random_model(source, adapter, dtype)
    case = Encoded([1] * (tokens - 20), [2] * 20)
    with _counting(model) as live:
        loss = answer_logprobs(model, [case])[0].sum()
        held = live.now
        loss.backward()
        peak = live.peak

    counted = tree_bytes(lambda count: blueprint(source, adapter, dtype, count), LAYERS, 1)
    kept, passing = head_bytes(blueprint(source, adapter, dtype), 20)
    assert counted.held(tokens) + kept == pytest.approx(held, rel=0.02)
    gradients = sum(w.nbytes for w in model.parameters() if w.requires_grad)
    expected = kept + max(counted.peak(tokens), counted.held(tokens) + passing)
    assert expected * 0.97 < peak < (expected + gradients) * 1.03


def test_every_weight(source: ModelSource) -> None:
    model = random_model(source, None, torch.float32)
    tokens = 300
    with _counting(model) as live:
        loss = answer_logprobs(model, [Encoded([1] * (tokens - 20), [2] * 20)])[0].sum()
        held = live.now
        loss.backward()
    counted = tree_bytes(lambda count: blueprint(source, None, torch.float32, count), LAYERS, 1)
    kept, _ = head_bytes(blueprint(source, None, torch.float32), 20)
    assert counted.held(tokens) + kept == pytest.approx(held, rel=0.02)


def test_without_gradients_there_is_little(source: ModelSource) -> None:
    adapter = AdapterSettings(rank=4)
    model = random_model(source, adapter, torch.float32)
    with torch.no_grad(), _counting(model) as live:
        answer_logprobs(model, [Encoded([1] * 480, [2] * 20)])
        peak = live.peak
    counted = tree_bytes(lambda count: blueprint(source, adapter, torch.float32, count), LAYERS, 1)
    kept, passing = head_bytes(blueprint(source, adapter, torch.float32), 20)
    assert max(counted.forward(500), kept + passing) == pytest.approx(peak, rel=0.1)
    assert counted.forward(500) < counted.reading(500) < counted.held(500) / 2
    assert counted.kept(500) == pytest.approx(500 * LAYERS * 2 * 2 * 8 * 4)


def test_folder_of_the_source_needs_no_weights(source: ModelSource) -> None:
    assert [file.name for file in Path(source.location).iterdir()] == ["config.json"]
