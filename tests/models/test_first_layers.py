"""The first layers of an encoder: their states, without what belongs to the last. Tiny random models, in float32."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, ModernBertConfig

from preceptor.engine import sequence_states
from preceptor.errors import InputError
from preceptor.models import (
    HEAD,
    ModelSource,
    Slot,
    SlotSettings,
    blueprint,
    class_norms,
    find_model,
    fingerprint,
    heads_of,
    layers_of,
    load_policy,
    save_policy,
    start_policy,
)
from tiny_model import build_tiny_encoder

SIZES: dict[str, Any] = {"hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 96, "num_hidden_layers": 4}
ENDS = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
CONFIGS = {
    "bert": lambda: BertConfig(**SIZES, max_position_embeddings=64),
    "modernbert": lambda: ModernBertConfig(
        **SIZES, **ENDS, max_position_embeddings=64, local_attention=8, global_attn_every_n_layers=3
    ),
}
IDS = [2, *range(10, 40), 3]
HEADS: dict[str, Slot] = {"head": SlotSettings(type=HEAD, outputs=2, pool="mean")}


@pytest.fixture(scope="module", params=CONFIGS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    folder = tmp_path_factory.mktemp("encoders") / request.param
    return find_model(str(build_tiny_encoder(folder, config=CONFIGS[request.param]())))


def state(source: ModelSource, folder: Path | None = None) -> torch.Tensor:
    """What a head reads."""
    policy = load_policy(source, folder, dtype=torch.float32) if folder else start(source)
    policy.model.eval()
    with torch.no_grad():
        return sequence_states(policy.model, [IDS], heads_of(policy.model)["head"], share=False)[0]


def start(source: ModelSource, train: str = "head") -> Any:
    return start_policy(
        source, None, HEADS, ["head", train] if train != "head" else ["head"], seed=0, dtype=torch.float32
    )


def test_trap_7_they_give_the_mean_of_that_layers_states_without_pooler_and_last_norm(whole: ModelSource) -> None:
    """Trap 7: pooler and last norm belong to the last layer."""
    model = start(whole).model.eval()
    with torch.no_grad():
        every = model(input_ids=torch.tensor([IDS]), output_hidden_states=True).hidden_states
    for layers in (1, 2, 3):
        source = whole.first_layers(layers)
        torch.testing.assert_close(state(source), every[layers][0].mean(0), atol=1e-6, rtol=1e-5)
        own = start(source).model
        assert getattr(own, "pooler", None) is None
        assert not [name for name, _ in own.named_parameters() if "final_norm" in name or "pooler" in name]


def test_no_report_lists_the_layers_that_are_left_out(whole: ModelSource, caplog: pytest.LogCaptureFixture) -> None:
    library = logging.getLogger("transformers")
    library.addHandler(caplog.handler)  # it hands nothing on
    try:
        start(whole.first_layers(2))
        assert not caplog.records
        assert logging.getLogger("transformers.modeling_utils").isEnabledFor(logging.WARNING)  # of other models it does
    finally:
        library.removeHandler(caplog.handler)


def test_of_those_that_their_class_would_norm_it_is_said(whole: ModelSource) -> None:
    assert not class_norms(whole)
    assert class_norms(whole.first_layers(1)) == (whole.location.name == "modernbert")


def test_a_model_of_as_many_layers_is_the_model(whole: ModelSource) -> None:
    assert whole.first_layers(4) is whole


def test_they_are_another_model_with_a_name_of_its_own(whole: ModelSource) -> None:
    two = whole.first_layers(2)
    assert two.title == f"{whole.title} (first 2 of 4 layers)"
    assert len({fingerprint(one) for one in (whole, two, whole.first_layers(3))}) == 3
    assert layers_of(two)[0] == 2


def test_a_policy_of_them_is_saved_and_loaded(whole: ModelSource, tmp_path: Path) -> None:
    two = whole.first_layers(2)
    for train in ("head", "backbone"):
        save_policy(start(two, train), tmp_path / train)
        assert torch.equal(state(two, tmp_path / train), state(two))


def test_the_blueprint_has_the_weights_of_the_policy(whole: ModelSource) -> None:
    two = whole.first_layers(2)
    planned = {name: tuple(one.shape) for name, one in blueprint(two, HEADS, torch.float32).named_parameters()}
    assert planned == {name: tuple(one.shape) for name, one in start(two).model.named_parameters()}


def test_what_cannot_be_had_is_refused(whole: ModelSource, tiny_source: ModelSource) -> None:
    with pytest.raises(InputError, match="it has 4 layers, and 5 are asked for"):
        whole.first_layers(5)
    with pytest.raises(InputError, match="the first layers of a causal model write nothing"):
        tiny_source.first_layers(1)
