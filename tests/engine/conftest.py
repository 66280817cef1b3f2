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


@pytest.fixture(scope="session")
def make_policy(tiny_source: ModelSource, sharpen: Callable[[nn.Module], Any]) -> MakePolicy:
    """The same policy at every call: `tuned` moves its adapter away from the base model, as an earlier stage would."""

    def make(
        adapter: AdapterSettings | None = AdapterSettings(rank=4, alpha=8),  # noqa: B008
        *,
        tuned: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> Policy:
        policy = new_policy(tiny_source, adapter, seed=0, dtype=dtype)
        sharpen(policy.model)
        generator = torch.Generator().manual_seed(tuned)
        with torch.no_grad():
            for name, weight in policy.model.named_parameters():
                if tuned and "lora_B" in name:
                    weight += 0.02 * torch.randn(weight.shape, generator=generator)
        return policy

    return make


class Killed(Exception):  # noqa: N818
    """Stands for a power cut."""


class Cut:
    """An `advance` that cuts the power when `after` optimizer steps are done."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, units: int = 1, /) -> None:
        self.left -= units
        if self.left <= 0:
            raise Killed


@pytest.fixture
def cut_after() -> type[Cut]:
    return Cut


@pytest.fixture
def killed() -> type[Exception]:
    return Killed


@pytest.fixture(params=["before anything is named", "half way through a file list"])
def cut_while_saving(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Cut the power in the n-th checkpoint: when it is written but not named yet, or before all of it is written."""
    from preceptor.engine.training import trainer

    owner: Any = trainer if "named" in request.param else trainer.StepTrainer
    name = "publish_folder" if "named" in request.param else "_save_rng_state"
    whole = getattr(owner, name)

    def arm(nth: int) -> None:
        calls = 0

        def cut(*args: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == nth:
                monkeypatch.setattr(owner, name, whole)
                raise Killed
            return whole(*args)

        monkeypatch.setattr(owner, name, cut)

    return arm


def learned(policy: Policy) -> dict[str, torch.Tensor]:
    """The weights that a stage may change."""
    return {name: weight.detach() for name, weight in policy.model.named_parameters() if weight.requires_grad}


@pytest.fixture(scope="session")
def weights() -> Callable[[Policy], dict[str, torch.Tensor]]:
    return learned
