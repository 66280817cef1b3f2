"""The control that asks for a language model's worth: a classifier on a small encoder, whatever model is studied."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from preceptor.models import EMBEDDED_ENCODER, AdapterSettings
from preceptor.study.stages import classify
from preceptor.study.stages.classify import data, needs, refused, run, unsupported_reason, work

__all__ = ["Settings", "data", "how_trained", "needs", "refused", "run", "unsupported_reason", "work"]

title = "Encoder"
explanation = (
    "A small encoder reads the case and a linear layer on what it made of it chooses the label; nothing is written. "
    "Whether a language model is needed at all."
)
curves = classify.curves
makes = classify.makes
answer = classify.answer
trains_head = True
model = EMBEDDED_ENCODER


class Settings(classify.Settings):
    """As of `classify`. More epochs, for a small encoder and a few hundred cases: benchmarks/encoder_settings.py."""

    epochs: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0)


def how_trained(settings: Mapping[str, Any], adapter: str) -> str:
    """As of `classify`; its adapter is not the study's."""
    usual = AdapterSettings()
    return classify.how_trained(settings, f"a LoRA adapter (rank {usual.rank}, alpha {usual.alpha}) on a small encoder")
