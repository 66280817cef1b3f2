"""A model's backbone without slots, every weight frozen, on the device of policies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig
from transformers.utils import logging as transformers_logging

from preceptor.errors import InputError, Problem
from preceptor.models._bits import four_bits, pin_compute_dtype
from preceptor.models._first_layers import keep_layers, without_last_norm
from preceptor.models._sixteen_bits import avoid_slow_products
from preceptor.models._source import ModelSource
from preceptor.models.families import find_family

transformers_logging.disable_progress_bar()  # Preceptor shows its own


def load_base(source: ModelSource, dtype: torch.dtype, seed: int) -> Any:
    """The base model, every weight frozen; drawn from `seed` where it is one that is trained from scratch."""
    if source.kind == "made":
        return find_family(source.location).drawn(source.location, seed).requires_grad_(False).to(compute_device())
    if not source.load_in_4bit:
        return load_backbone(source.location, dtype, source.layers)
    model = load_backbone(source.location, dtype, quantization_config=four_bits(dtype))
    pin_compute_dtype(model)
    return model


def load_backbone(folder: Path, dtype: torch.dtype, layers: int | None = None, **options: Any) -> Any:
    """The model in `folder`, every weight frozen; its first `layers` layers. Raises `InputError` when weights are
    missing, or of other sizes.
    """
    family = find_family(folder)
    if layers is not None:
        options["config"] = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        keep_layers(options["config"], layers)
    with _without_report():  # it would list the layers and the pooler that are left out; what is missing is told below
        loaded: Any = family.AUTO_MODEL.from_pretrained(
            folder,
            dtype=getattr(family, "DTYPE", dtype),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below
            **options,
        )
    model, found = loaded
    family.trim(model)
    if layers is not None:
        without_last_norm(model)
    if missing := found["missing_keys"] & model.state_dict().keys():
        # transformers would fill them with random numbers and only warn.
        what = f"{len(missing)} weights of its architecture are missing, {min(missing)} among them"
        raise InputError(Problem(f"model {folder.name}", what, "Copy the whole folder again."))
    if other := {name for name, *_ in found["mismatched_keys"]} & model.state_dict().keys():
        what = f"{len(other)} weights are of another size than its config.json says, {min(other)} among them"
        raise InputError(Problem(f"model {folder.name}", what, "Copy the whole folder again."))
    model = model.requires_grad_(False).to(compute_device())
    avoid_slow_products(model)
    return model


@contextmanager
def _without_report() -> Iterator[None]:
    """What transformers warns of in the meantime is not printed."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


def compute_device() -> torch.device:
    """The device of policies: the first accelerator, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
