"""A model built from its configuration alone: enough to count parameters and FLOPs before weights are downloaded."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import AutoConfig

from preceptor.errors import InputError, Problem
from preceptor.files import expanded, is_folder
from preceptor.models._backbone import compute_device
from preceptor.models._embedded import EMBEDDED_MODELS, embedded_folder
from preceptor.models._first_layers import keep_layers, without_last_norm
from preceptor.models._json import read_json
from preceptor.models._policy import put_slots
from preceptor.models._sixteen_bits import avoid_slow_products
from preceptor.models._slots import BACKBONE, HEAD, AdapterSettings, Slot, adapter_slots, use
from preceptor.models._source import ModelSource
from preceptor.models.families import find_family


def find_blueprint(name: str) -> ModelSource:
    """Find a model by its `config.json`: embedded, a folder, or a hub id in the local cache; no network access.

    Raises `InputError` when there is no configuration, or one that requires remote code.
    """
    source = _find(name)
    file = source.location / "config.json"
    if not file.is_file():
        fix = "Put the model's config.json into that folder, and its tokenizer beside it if you have it."
        raise InputError(Problem(f"model {name}", "its config.json is not here", fix))
    if "auto_map" in read_json(file):
        fix = "Use a model that transformers itself implements."
        raise InputError(Problem(f"model {name}", "config.json asks to run code of its own (auto_map)", fix))
    return source


def blueprint(
    source: ModelSource, slots: Mapping[str, Slot], dtype: torch.dtype, layers: int | None = None
) -> nn.Module:
    """The model that `start_policy` would make, with its tensors on the device `meta`: all `slots` learn, or without
    any every weight.

    layers: how many of its layers, from the first; all when None. A LoRA adapter in these stands for slots that are in
    other layers only. Raises `InputError` for a configuration that transformers cannot build, and for slots that do not
    fit the whole model.
    """
    with torch.device("meta"):
        return _built(source, slots, dtype, layers)


def random_model(
    source: ModelSource, slots: Mapping[str, Slot], dtype: torch.dtype, layers: int | None = None
) -> nn.Module:
    """The same with random weights on the compute device: as fast and as large as the model itself."""
    with torch.random.fork_rng(devices=[]), torch.device(compute_device()):
        return _built(source, slots, dtype, layers)


def layers_of(source: ModelSource) -> tuple[int, int]:
    """The number of layers, and the period of their kinds (1 when all are alike)."""
    config = _config(source, None)
    return int(config.get_text_config().num_hidden_layers), layer_period(config)


def layer_period(config: Any) -> int:
    """The period of a configuration's `layer_types`; 1 without any."""
    kinds = list(getattr(config.get_text_config(), "layer_types", None) or ())
    for period in range(1, len(kinds)):
        if all(kind == kinds[at % period] for at, kind in enumerate(kinds)):
            return period
    return 1


def _built(source: ModelSource, slots: Mapping[str, Slot], dtype: torch.dtype, layers: int | None) -> nn.Module:
    try:
        config, family = _config(source, layers), find_family(source.location)
        model: Any = family.AUTO_MODEL.from_config(
            config, dtype=getattr(family, "DTYPE", dtype), trust_remote_code=False
        )
        family.trim(model)
        if source.layers is not None:
            without_last_norm(model)
    except (ValueError, KeyError, TypeError, ImportError) as error:
        what = f"transformers cannot build a model from its config.json ({type(error).__name__})"
        raise InputError(Problem(f"model {source.name}", what, "Check the file, or name another model.")) from error
    avoid_slow_products(model)
    try:
        tuned: nn.Module = put_slots(model.requires_grad_(False), slots, source, seed=0).eval()
    except InputError:
        in_these = {name: slot for name, slot in slots.items() if slot.type == HEAD} | adapter_slots(AdapterSettings())
        if layers is None or slots == in_these:
            raise
        return _built(source, in_these, dtype, layers)
    if (twice := tuned._modules.pop("word_embeddings", None)) is not None:  # which peft holds beside the model
        vars(tuned)["word_embeddings"] = twice
    use(tuned, slots, slots or [BACKBONE])
    if source.load_in_4bit:  # peft's own forward, which saves more activations: quantised layers are not fused
        for module in tuned.modules():
            if isinstance(module, LoraLayer):
                vars(module).pop("forward", None)
    return tuned


def _config(source: ModelSource, layers: int | None) -> Any:
    try:
        whole: Any = AutoConfig.from_pretrained(source.location, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        what = f"transformers does not know this kind of model ({type(error).__name__})"
        raise InputError(Problem(f"model {source.name}", what, "Check config.json, or name another model.")) from error
    layers = layers or source.layers
    if layers is None:
        return whole
    whole = deepcopy(whole)
    keep_layers(whole, layers)
    return whole


def _find(name: str) -> ModelSource:
    if name in EMBEDDED_MODELS:
        return ModelSource(name, EMBEDDED_MODELS[name].title, embedded_folder(name), "embedded")
    folder = expanded(name)
    if is_folder(folder):
        return ModelSource(name, folder.resolve().name, folder.resolve(), "folder")
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        cached = None
    if not isinstance(cached, str):
        what = "there is no such folder, and no model of that name in the cache; the hub is not asked for a plan"
        raise InputError(Problem(f"model {name}", what, "Name a folder with the model's config.json."))
    return ModelSource(name, name, Path(cached).parent, "hub")
