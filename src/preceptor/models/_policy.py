"""A policy: a backbone with its tokenizer and, unless every weight is tuned, a LoRA adapter; made, kept, loaded."""

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from preceptor.errors import InputError, Problem
from preceptor.files import private_folder, publish_folder
from preceptor.models._bits import four_bits, pin_compute_dtype
from preceptor.models._fused import fuse
from preceptor.models._sixteen_bits import avoid_slow_products
from preceptor.models._source import ModelSource
from preceptor.models._tokens import load_tokenizer

transformers_logging.disable_progress_bar()  # Preceptor shows its own


class AdapterSettings(BaseModel):
    """LoRA (Hu et al. 2021, arXiv 2106.09685): W + (alpha / rank) B A on the `target_modules`.

    `all-linear` is every linear layer except the output layer. There is no dropout: DPO's margins must be 0 before
    the first step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=16, ge=1, le=1024)
    alpha: int = Field(default=32, ge=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    dropout: Literal[0] = 0


@dataclass(slots=True)
class Policy:
    """What is tuned and asked. `adapter` is None when every weight is its own, or when it is the untouched model.

    shares_prefixes: whether its model computes a prefix tree as it computes sequences one by one; None: not asked yet.
    """

    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    source: ModelSource
    adapter: AdapterSettings | None
    shares_prefixes: bool | None = None


def new_policy(source: ModelSource, adapter: AdapterSettings | None, *, seed: int, dtype: torch.dtype) -> Policy:
    """The untouched model made ready to be tuned: with a new adapter, or with every weight trainable when None.

    A new adapter changes no output (B is 0); A is drawn from `seed`, and other random numbers stay untouched.
    Adapter weights are float32 also on a backbone of 16 bits.
    """
    if adapter is None and source.load_in_4bit:
        what = "weights of 4 bits cannot be tuned themselves"
        raise InputError(Problem("adapter", what, "Tune an adapter on them, or set load_in_4bit to false."))
    tokenizer, model = load_tokenizer(source), _load_base(source, dtype)
    if adapter is None:
        return Policy(model.requires_grad_(True), tokenizer, source, None)
    with torch.random.fork_rng(devices=[]), _quiet():
        torch.manual_seed(seed)
        tuned = get_peft_model(model, _lora(adapter))
    fuse(tuned)
    return Policy(tuned, tokenizer, source, adapter)


def load_policy(source: ModelSource, folder: Path | None, *, dtype: torch.dtype, trainable: bool = False) -> Policy:
    """The policy that `save_policy` kept in `folder`, on the model it was made from; None: the untouched model."""
    tokenizer = load_tokenizer(source)
    if folder is not None and (folder / "adapter").is_dir():
        model, adapter = _load_adapter(_load_base(source, dtype), folder / "adapter", trainable)
        return Policy(model, tokenizer, source, adapter)
    if folder is None:
        model = _load_base(source, dtype)
    elif (folder / "model").is_dir():
        model = _load_backbone(folder / "model", dtype)
    else:
        raise InputError(Problem(str(folder), "there is neither adapter/ nor model/ in it", "Name a stage's folder."))
    return Policy(model.requires_grad_(trainable), tokenizer, source, None)


def readable_adapter(folder: Path) -> bool:
    """Whether the adapter kept in `folder` is whole: its settings are JSON, its weights safetensors and numbers."""
    try:
        json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        return all(bool(weight.isfinite().all()) for weight in load_file(folder / "adapter_model.safetensors").values())
    except (OSError, ValueError, SafetensorError):
        return False


def save_policy(policy: Policy, folder: Path, weights: dict[str, Tensor] | None = None) -> None:
    """Write `adapter/`, or `model/` when every weight is tuned, into `folder`: safetensors, whole or not at all.

    `weights`: those that learned, by their names in the model, where this process holds only a part of them.
    """
    private_folder(folder)
    kind = "adapter" if isinstance(policy.model, PeftModel) else "model"
    aside = folder / f".{kind}.part"
    shutil.rmtree(aside, ignore_errors=True)  # what a killed run left behind
    private_folder(aside)
    if kind == "adapter":
        _write_adapter(policy, aside, weights)
    else:
        policy.model.save_pretrained(aside, state_dict=weights)
        policy.tokenizer.save_pretrained(aside)
    publish_folder(aside, folder / kind)


def _load_base(source: ModelSource, dtype: torch.dtype) -> Any:
    """The untouched model, every weight frozen."""
    if not source.load_in_4bit:
        return _load_backbone(source.location, dtype)
    model = _load_backbone(source.location, dtype, quantization_config=four_bits(dtype))
    pin_compute_dtype(model)
    return model


def _load_backbone(folder: Path, dtype: torch.dtype, **how: Any) -> Any:
    """The model in `folder`, every weight frozen. Raises `InputError` when weights are missing."""
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
        **how,
    )
    model, found = loaded
    if missing := found["missing_keys"]:
        # transformers would fill them with random numbers and only warn.
        what = f"{len(missing)} weights of its architecture are missing, {min(missing)} among them"
        raise InputError(Problem(f"model {folder.name}", what, "Copy the whole folder again."))
    model = model.requires_grad_(False).to(compute_device())
    avoid_slow_products(model)
    return model


def compute_device() -> torch.device:
    """Where policies live: the first accelerator, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _lora(adapter: AdapterSettings) -> LoraConfig:
    modules = adapter.target_modules
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=modules if isinstance(modules, str) else list(modules),
    )


def _load_adapter(backbone: Any, folder: Path, trainable: bool) -> tuple[PeftModel, AdapterSettings]:
    if not (folder / "adapter_model.safetensors").is_file():
        raise InputError(Problem(str(folder), "there is no adapter_model.safetensors in it", "Only safetensors load."))
    config = PeftConfig.from_pretrained(str(folder))
    device = str(next(backbone.parameters()).device)
    with _quiet():
        model = PeftModel.from_pretrained(
            backbone, folder, config=config, is_trainable=trainable, torch_device=device, local_files_only=True
        )
    fuse(model)
    adapter = AdapterSettings(
        rank=config.r, alpha=config.lora_alpha, target_modules=tuple(sorted(config.target_modules))
    )
    return model, adapter


def _write_adapter(policy: Policy, folder: Path, weights: dict[str, Tensor] | None) -> None:
    # peft's own saving would look the base model up on the hub, and write a card with this machine's paths.
    kept = get_peft_model_state_dict(policy.model, state_dict=weights, save_embedding_layers=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in kept.items()}
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    source = policy.source
    base = source.title if source.kind == "folder" else source.name  # a folder's name may be a path of this machine
    config = policy.model.peft_config["default"].to_dict()
    config |= {"inference_mode": True, "base_model_name_or_path": base}
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    (folder / "adapter_config.json").write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep peft's use of a deprecated name of transformers from warning the user, who can do nothing about it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield
