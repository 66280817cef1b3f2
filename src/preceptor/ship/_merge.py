"""Merging an adapter into its base weights, and the rounding error of storing them in a lower precision."""

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
    """Rounding error of storing the weights in `dtype`.

    weight_error: norm of the error over the norm of the weights; update_error: over the norm of the adapter's update,
    None without an adapter.
    """

    dtype: str
    weight_error: float
    update_error: float | None

    def __str__(self) -> str:
        if not self.weight_error:
            return f"Stored in {self.dtype}, which rounds nothing away."
        text = f"Stored in {self.dtype}: rounding moves the weights by {self.weight_error:.2g} of their size"
        return f"{text}." if self.update_error is None else f"{text}, {self.update_error:.2g} of the adapter's update."


def merged(arm: ArmOfRun, dtype: torch.dtype) -> tuple[Any, Rounding]:
    """The arm's model with its adapter merged, in float32 on the CPU, and the rounding error of `dtype`.

    The base weights are the study's: rounded to its dtype, or dequantised from four bits, since an in-place merge
    would quantise the sum again.
    """
    base = _in_float32(arm)
    if arm.folder is None or not (arm.folder / "adapter").is_dir():
        return base, _rounding(base, dtype, None)
    tuned = with_adapter(base, arm.folder / "adapter")
    with torch.no_grad():
        update_norm = _norm(_updates(tuned))
        # peft's own Linear layers add B A times the scale to the weight; how `models` computes them plays no part
        merged_model = tuned.merge_and_unload(safe_merge=True)
    return merged_model, _rounding(merged_model, dtype, update_norm)


def with_adapter(base: Any, folder: Path) -> Any:
    """The model with the adapter in `folder`, loaded by peft."""
    with warnings.catch_warnings():  # peft asks transformers by a name that is deprecated
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        return PeftModel.from_pretrained(base, folder, local_files_only=True, torch_device=str(base.device))


def _in_float32(arm: ArmOfRun) -> Any:
    """The base or fully fine-tuned model, with the weight values that the study computed with."""
    folder = arm.folder if arm.folder is not None and (arm.folder / "model").is_dir() else None
    model = load_policy(arm.source, folder, dtype=arm.numerics.torch_dtype).model
    if arm.source.load_in_4bit and folder is None:
        model = model.dequantize()
        for attribute in ("hf_quantizer", "quantization_method"):  # else save_pretrained refuses
            if hasattr(model, attribute):
                delattr(model, attribute)
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
    return model.to(device="cpu", dtype=torch.float32)


def _updates(tuned: Any) -> Iterator[Tensor]:
    for module in tuned.modules():
        if isinstance(module, BaseTunerLayer):
            layer: Any = module
            yield layer.get_delta_weight("default")


@torch.no_grad()
def _rounding(model: Any, dtype: torch.dtype, update_norm: float | None) -> Rounding:
    rounded_off = _norm(weight - weight.to(dtype).to(weight.dtype) for weight in model.parameters())
    merged_model = _norm(model.parameters())
    update_error = None if update_norm is None else rounded_off / update_norm if update_norm else 0.0
    return Rounding(str(dtype).removeprefix("torch."), rounded_off / merged_model, update_error)


def _norm(tensors: Iterator[Tensor]) -> float:
    return math.sqrt(sum(float(torch.linalg.vector_norm(one.double()) ** 2) for one in tensors))
