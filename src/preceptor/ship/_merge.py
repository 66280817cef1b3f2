"""An arm's model with its adapter worked into the weights, and what storing them in fewer bits costs."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from preceptor.models import load_policy
from preceptor.study import ArmOfRun


@dataclass(frozen=True, slots=True)
class Rounding:
    """How far storing in `dtype` moves the weights.

    of_weights: the norm of what was rounded away, over the norm of the weights; of_tuning: over the norm of what the
    adapter changed, None where there is no adapter.
    """

    dtype: str
    of_weights: float
    of_tuning: float | None

    def __str__(self) -> str:
        if not self.of_weights:
            return f"Stored in {self.dtype}, which rounds nothing away."
        said = f"Stored in {self.dtype}: rounding moves the weights by {self.of_weights:.2g} of their size"
        return (
            f"{said}, {self.of_tuning:.2g} of what the adapter changed." if self.of_tuning is not None else f"{said}."
        )


def merged(arm: ArmOfRun, stored: torch.dtype) -> tuple[Any, Rounding]:
    """The model that answered for the arm, without adapter, in float32 on the CPU; and what storing it would cost.

    The adapter is added to the weights as the study held them: rounded to its dtype, or taken from four bits, where
    merging in place would round the sum to four bits again.
    """
    base = _in_float32(arm)
    if arm.folder is None or not (arm.folder / "adapter").is_dir():
        return base, _rounding(base, stored, None)
    tuned = with_adapter(base, arm.folder / "adapter")
    with torch.no_grad():
        moved = _norm(_changes(tuned))
        # peft's own Linear layers add B A times the scale to the weight; how `models` computes them plays no part
        whole = tuned.merge_and_unload(safe_merge=True)
    return whole, _rounding(whole, stored, moved)


def with_adapter(base: Any, folder: Path) -> Any:
    """The model with the adapter in `folder` on it, as peft itself computes it."""
    with warnings.catch_warnings():  # peft asks transformers by a name that is deprecated
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        return PeftModel.from_pretrained(base, folder, local_files_only=True, torch_device=str(base.device))


def _in_float32(arm: ArmOfRun) -> Any:
    """The base model, or the one whose every weight was tuned, with the values that the study computed with."""
    folder = arm.folder if arm.folder is not None and (arm.folder / "model").is_dir() else None
    model = load_policy(arm.source, folder, dtype=arm.numerics.torch_dtype).model
    if arm.source.load_in_4bit and folder is None:
        model = model.dequantize()
        for told in ("hf_quantizer", "quantization_method"):  # saving would be refused
            if hasattr(model, told):
                delattr(model, told)
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
    return model.to(device="cpu", dtype=torch.float32)


def _changes(tuned: Any) -> Iterator[Tensor]:
    for module in tuned.modules():
        if isinstance(module, BaseTunerLayer):
            layer: Any = module
            yield layer.get_delta_weight("default")


@torch.no_grad()
def _rounding(model: Any, stored: torch.dtype, moved: float | None) -> Rounding:
    lost = _norm(weight - weight.to(stored).to(weight.dtype) for weight in model.parameters())
    whole = _norm(model.parameters())
    of_tuning = None if moved is None else lost / moved if moved else 0.0
    return Rounding(str(stored).removeprefix("torch."), lost / whole, of_tuning)


def _norm(tensors: Iterator[Tensor]) -> float:
    return math.sqrt(sum(float(torch.linalg.vector_norm(one.double()) ** 2) for one in tensors))
