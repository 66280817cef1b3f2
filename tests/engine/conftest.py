"""Tiny models with enough contrast in them that a wrong mask, position or row shows."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from preceptor.engine import Numerics
from preceptor.models import AdapterSettings, ModelSource, Policy, new_policy

MakePolicy = Callable[..., Policy]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def numerics() -> Numerics:
    return Numerics(threads=1)


@pytest.fixture(scope="session")
def sharpen() -> Callable[[nn.Module], Any]:
    """Newly drawn weights are so small that every token is about as likely as any other; here they are not."""

    def sharpened(model: nn.Module) -> nn.Module:
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() > 1:
                    weight *= 12
        return model.eval()

    return sharpened


@pytest.fixture
def make_policy(tiny_source: ModelSource, sharpen: Callable[[nn.Module], Any]) -> MakePolicy:
    """The same policy at every call: `tuned` moves its adapter away from the base model, as an earlier stage would."""

    def make(adapter: AdapterSettings | None = AdapterSettings(rank=4, alpha=8), *, tuned: int = 0) -> Policy:  # noqa: B008
        policy = new_policy(tiny_source, adapter, seed=0, dtype=torch.float32)
        sharpen(policy.model)
        generator = torch.Generator().manual_seed(tuned)
        with torch.no_grad():
            for name, weight in policy.model.named_parameters():
                if tuned and "lora_B" in name:
                    weight += 0.02 * torch.randn(weight.shape, generator=generator)
        return policy

    return make
