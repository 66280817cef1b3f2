import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from preceptor.engine import Numerics, SFTSettings, answer_logprobs, can_share, run_sft
from preceptor.engine.cost import backward_factor, forward_flops
from preceptor.errors import InputError
from preceptor.models import (
    AdapterSettings,
    Encoded,
    ModelSource,
    Policy,
    fingerprint,
    load_policy,
    new_policy,
    save_policy,
)

SETTINGS = AdapterSettings(rank=4, alpha=8)
EXAMPLES = [Encoded([5, 6, 7 + n % 2], [10 + n % 2, 2]) for n in range(8)]


@pytest.fixture(scope="module")
def packed(tiny_source: ModelSource) -> ModelSource:
    return tiny_source.in_4bit()


def new(source: ModelSource, dtype: torch.dtype = torch.float32) -> Policy:
    return new_policy(source, SETTINGS, seed=0, dtype=dtype)


@torch.no_grad()
def logprobs(policy: Policy, *, share: bool = True) -> torch.Tensor:
    policy.model.eval()
    return torch.cat(answer_logprobs(policy.model, EXAMPLES, share=share))


def test_linear_layers_take_an_eighth_and_the_rest_stays_as_it_is(
    packed: ModelSource, tiny_source: ModelSource
) -> None:
    weights, plain = (
        dict(load_policy(one, None, dtype=torch.float32).model.named_parameters()) for one in (packed, tiny_source)
    )
    assert weights.keys() == plain.keys()
    for name, weight in weights.items():
        layer = "_proj" in name
        assert weight.numel() * (8 if layer else 1) == plain[name].numel(), name
        assert weight.dtype == torch.float32, "packed weights of another kind are not sharded"
        assert layer or torch.equal(weight, plain[name])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_adapter_on_four_bits_learns_and_is_loaded_again(dtype: str, packed: ModelSource, tmp_path: Path) -> None:
    numerics = Numerics.model_validate({"dtype": dtype, "threads": 1})
    policy = new(packed, numerics.torch_dtype)
    assert can_share(policy.model)
    before = logprobs(policy)
    settings = SFTSettings(learning_rate=0.02, epochs=10, batch_size=8, warmup_steps=0)
    run_sft(policy, EXAMPLES, EXAMPLES, settings, numerics, tmp_path / "work", seed=0)
    after = logprobs(policy)
    assert after.mean() > before.mean() + 0.5
    save_policy(policy, tmp_path)
    assert torch.equal(logprobs(load_policy(packed, tmp_path, dtype=numerics.torch_dtype)), after)


def test_a_tree_is_what_its_sequences_are_also_after_answers_without_gradients(packed: ModelSource) -> None:
    policy = new(packed)
    first = logprobs(policy, share=False)
    with_gradients = torch.cat(answer_logprobs(policy.model, EXAMPLES))
    torch.testing.assert_close(with_gradients.detach(), first, atol=1e-5, rtol=0)
    with_gradients.sum().backward()
    assert all(torch.isfinite(w.grad).all() for w in policy.model.parameters() if w.grad is not None)


def test_it_is_another_model_than_the_whole_one(packed: ModelSource, tiny_source: ModelSource) -> None:
    assert fingerprint(packed) != fingerprint(tiny_source)
    assert packed.title == f"{tiny_source.title} (4-bit)"
    assert not torch.allclose(logprobs(new(packed)), logprobs(new(tiny_source)), atol=1e-6)


def test_operations_are_counted_as_if_nothing_were_packed(packed: ModelSource, tiny_source: ModelSource) -> None:
    models: list[nn.Module] = [new(source).model for source in (packed, tiny_source)]
    assert len({forward_flops(model, 10, 3) for model in models}) == 1
    assert len({backward_factor(model) for model in models}) == 1


def test_four_bits_are_not_tuned_themselves(packed: ModelSource) -> None:
    with pytest.raises(InputError, match="4 bits cannot be tuned"):
        new_policy(packed, None, seed=0, dtype=torch.float32)


def test_without_bitsandbytes_it_says_how_to_get_it(tiny_source: ModelSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'bitsandbytes>="):
        tiny_source.in_4bit()


@pytest.mark.slow
def test_the_hub_is_not_asked_for_kernels(tmp_path: Path) -> None:
    """Only on CPUs with bfloat16 of their own would it be asked at all."""
    asked = tmp_path / "asked"
    (tmp_path / "kernels.py").write_text(
        f"from pathlib import Path\ndef get_kernel(*_, **__):\n    Path({str(asked)!r}).touch()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    code = "import preceptor.models, bitsandbytes"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not asked.exists()
