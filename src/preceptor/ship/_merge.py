"""Merging adapters into their base weights, and the rounding error of storing them in a lower precision."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor

from preceptor.errors import InputError, Problem
from preceptor.models import load_policy
from preceptor.ship._slots import adapters_of, folders_in_run
from preceptor.study import ArmOfRun


@dataclass(frozen=True, slots=True)
class Rounding:
    """Rounding error of storing the weights in `dtype`.

    weight_error: norm of the error over the norm of the weights; update_error: over the norm of the adapters' update,
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
    """The arm's model with its adapters merged, in float32 on the CPU, and the rounding error of `dtype`.

    The base weights are the study's: rounded to its dtype, or dequantised from four bits, since an in-place merge
    would quantise the sum again. Several adapters are merged one after the other. Raises `InputError` for adapters that
    peft cannot merge.
    """
    base = _in_float32(arm)
    folders = folders_in_run(arm)
    if not folders:
        return base, _rounding(base, dtype, None)
    tuned = with_adapters(base, folders)
    try:
        # peft's own layers change their weights; how `models` computes them plays no part
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="All adapters are already merged")
            update_norm = math.sqrt(sum(_merge(layer, list(folders)) ** 2 for layer in _layers(tuned)))
            merged_model = tuned.merge_and_unload(safe_merge=True)
    except (NotImplementedError, ValueError) as error:
        types = ", ".join(sorted({slot.type for slot in adapters_of(arm).values()}))
        what = f"PEFT cannot merge an adapter of type {types}: {str(error)[:200]}"
        raise InputError(Problem("--to merged", what, "Take `--to adapter`")) from None
    return merged_model, _rounding(merged_model, dtype, update_norm)


def with_adapters(base: Any, folders: Mapping[str, Path]) -> Any:
    """The model with these adapters, all active, loaded by peft; the model itself when there are none."""
    model, options = base, dict[str, Any](local_files_only=True, torch_device=str(base.device))
    with warnings.catch_warnings():  # peft asks transformers by a name that is deprecated
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        for name, folder in folders.items():
            if model is base:
                model = PeftModel.from_pretrained(base, folder, adapter_name=name, **options)
            else:
                model.load_adapter(folder, name, **options)
    if len(folders) > 1:
        model.base_model.set_adapter(list(folders))
    return model


def _in_float32(arm: ArmOfRun) -> Any:
    """The base or fully fine-tuned model, with the weight values that the study computed with."""
    whole = arm.folder is not None and (arm.folder / "model").is_dir()
    source = arm.source
    if arm.folder is not None and whole:  # `folder`: one that the study made has its weights there alone
        source = replace(source, location=arm.folder / "model", kind="folder")
    model = load_policy(source, None, dtype=arm.numerics.torch_dtype).model
    if arm.source.load_in_4bit:
        model = model.dequantize()
        for attribute in ("hf_quantizer", "quantization_method"):  # else save_pretrained refuses
            if hasattr(model, attribute):
                delattr(model, attribute)
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
    return model.to(device="cpu", dtype=torch.float32)


def _layers(tuned: Any) -> list[Any]:
    return [module for module in tuned.modules() if isinstance(module, BaseTunerLayer)]


def _merge(layer: Any, adapters: Sequence[str]) -> float:
    """Merge the adapters into the layer's weights, and give the norm of what that changed."""
    before = [weight.clone() for weight in layer.get_base_layer().parameters()]
    layer.merge(safe_merge=True, adapter_names=list(adapters))
    after = layer.get_base_layer().parameters()
    return _norm(new - old for new, old in zip(after, before, strict=True))


@torch.no_grad()
def _rounding(model: Any, dtype: torch.dtype, update_norm: float | None) -> Rounding:
    rounded_off = _norm(weight - weight.to(dtype).to(weight.dtype) for weight in model.parameters())
    merged_model = _norm(model.parameters())
    update_error = None if update_norm is None else rounded_off / update_norm if update_norm else 0.0
    return Rounding(str(dtype).removeprefix("torch."), rounded_off / merged_model, update_error)


def _norm(tensors: Iterable[Tensor]) -> float:
    return math.sqrt(sum(float(torch.linalg.vector_norm(one.double()) ** 2) for one in tensors))
