"""A policy: a backbone with its tokenizer and, unless every weight is tuned, slots: created, saved, loaded."""

import json
import shutil
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig
from transformers.utils import logging as transformers_logging

from preceptor.errors import InputError, Problem
from preceptor.files import private_folder, publish_folder
from preceptor.models._bits import four_bits, pin_compute_dtype
from preceptor.models._chunks import chunks_of
from preceptor.models._first_layers import keep_layers, without_last_norm
from preceptor.models._fused import fuse
from preceptor.models._head import add_head, heads_of, metadata_of, settings_of
from preceptor.models._pooling import pool_of
from preceptor.models._sixteen_bits import avoid_slow_products
from preceptor.models._slots import (
    BACKBONE,
    DEFAULT,
    HEAD,
    NOT_THE_USERS,
    AdapterSettings,
    Slot,
    SlotSettings,
    adapter_slots,
    in_front,
    slot_title,
    slot_weights,
    use,
)
from preceptor.models._source import ModelSource
from preceptor.models._tokens import load_tokenizer
from preceptor.models.families import find_family

transformers_logging.disable_progress_bar()  # Preceptor shows its own

ADAPTER_FILE, HEAD_FILE = "adapter_model.safetensors", "head.safetensors"
PROMPT_FILE = "prompt_encoder.safetensors"
"""What the vectors of a slot that stands in front of the tokens are made by: PEFT's file holds the vectors alone."""


@dataclass(slots=True)
class Policy:
    """A model that is tuned and generates. `slots` are all active; none for full fine-tuning and for the base model.

    whole: whether every weight of the backbone is tuned, too. shares_prefixes: whether a prefix tree gives the model's
    own log-probabilities; None until it was probed. learning: how many numbers learn, by slot.
    """

    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    source: ModelSource
    slots: Mapping[str, Slot] = field(default_factory=dict)
    whole: bool = False
    shares_prefixes: bool | None = None
    learning: Mapping[str, int] = field(default_factory=dict)


def new_policy(source: ModelSource, adapter: AdapterSettings | None, *, seed: int, dtype: torch.dtype) -> Policy:
    """The base model with a new adapter, or with every weight trainable when `adapter` is None; see `start_policy`."""
    slots = adapter_slots(adapter)
    return start_policy(source, None, slots, slots or [BACKBONE], seed=seed, dtype=dtype)


def start_policy(
    source: ModelSource,
    folder: Path | None,
    slots: Mapping[str, Slot],
    train: Collection[str],
    *,
    seed: int,
    dtype: torch.dtype,
) -> Policy:
    """The policy that a stage trains: `slots` on the backbone, those of `train` learning.

    Slots that the policy saved in `folder` has go on from there; others are new and drawn from `seed`, and the global
    random state is restored. A new LoRA adapter changes no output (B is 0). Slots are float32 on a 16-bit backbone too.
    Raises `InputError` for full fine-tuning in 4 bits and for slots that do not fit the model.
    """
    if BACKBONE in train and source.load_in_4bit:
        what = "weights of 4 bits cannot be tuned themselves"
        raise InputError(Problem("adapter", what, "Tune an adapter on them, or set load_in_4bit to false."))
    tokenizer = load_tokenizer(source)
    own = folder is not None and (folder / "model").is_dir()
    model = (
        _load_backbone(folder / "model", dtype, source.layers)
        if folder is not None and own
        else _load_base(source, dtype, seed)
    )
    saved = {} if folder is None else slot_folders(folder)
    model = put_slots(model, slots, source, seed=seed)
    for name in saved.keys() & slots.keys():
        _fill(model, name, slots[name], saved[name])
    learning = use(model, slots, train)
    return Policy(model, tokenizer, source, dict(slots), own or BACKBONE in train, learning=learning)


def load_policy(source: ModelSource, folder: Path | None, *, dtype: torch.dtype, trainable: bool = False) -> Policy:
    """The policy that `save_policy` wrote to `folder`, all its slots active; the base model itself when None.

    trainable: whether its slots, or every weight without one, take gradients. Raises `InputError`.
    """
    slots = {} if folder is None else saved_slots(folder)
    whole = folder is not None and (folder / "model").is_dir()
    if folder is not None and not slots and not whole:
        raise InputError(Problem(str(folder), "there is neither adapter/ nor model/ in it", "Name a stage's folder."))
    every = [*slots, *([BACKBONE] if whole or not slots else [])]
    return start_policy(source, folder, slots, every if trainable else [], seed=0, dtype=dtype)


def saved_slots(folder: Path) -> dict[str, Slot]:
    """The slots of the policy in `folder`, by name."""
    found = {name: _read_slot(file) for name, file in slot_folders(folder).items()}
    return dict(sorted(found.items()))


def put_slots(model: Any, slots: Mapping[str, Slot], source: ModelSource, *, seed: int) -> Any:
    """The model with slots on it, drawn from `seed` each; the global random state is restored.

    Raises `InputError` for slots that do not fit the model.
    """
    for name, slot in sorted(slots.items()):
        with torch.random.fork_rng(devices=[]), _quiet():
            torch.manual_seed(seed)
            model = _with_slot(model, name, slot, source, seed)
    if isinstance(model, PeftModel):  # whose backbone is frozen
        fuse(model)
    return model


def _with_slot(model: Any, name: str, slot: Slot, source: ModelSource, seed: int) -> Any:
    """The model with a slot more, untrained. Raises `InputError` when the slot does not fit it."""
    if slot.type == HEAD:
        settings = slot.settings if isinstance(slot, SlotSettings) else {}
        outputs, chunks = int(settings.get("outputs", 0)), chunks_of(settings)
        add_head(model, name, outputs, pool_of(slot, source), seed=seed, chunks=chunks)
        return model
    config = slot.peft_config(find_family(source.location).PEFT_TASK)
    try:
        if not isinstance(model, PeftModel):
            heads = heads_of(model)
            tuned = get_peft_model(model, config, adapter_name=name)
            if heads:
                del model.heads
                tuned.heads = torch.nn.ModuleDict(heads)
            return tuned
        model.add_adapter(name, config)
    except (ValueError, TypeError, AttributeError, NotImplementedError) as error:
        what = f"PEFT cannot put it on this model: {str(error)[:200].rstrip('.')}"
        raise InputError(Problem(slot_title(name), what, "Change its settings, or take another type.")) from None
    return model


def readable_adapter(folder: Path) -> bool:
    """Whether the adapter or head in `folder` is complete: its safetensors weights are finite, and an adapter's
    configuration is JSON.
    """
    head = (folder / HEAD_FILE).is_file()
    try:
        if not head:
            json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / (HEAD_FILE if head else ADAPTER_FILE))
        return all(bool(weight.isfinite().all()) for weight in weights.values())
    except (OSError, ValueError, SafetensorError):
        return False


def save_policy(policy: Policy, folder: Path, weights: dict[str, Tensor] | None = None) -> None:
    """Write the policy into `folder`: safetensors, each folder published atomically.

    `adapter/` is the slot of a study that names none, `slots/<name>/` another one, `model/` the backbone when every
    weight is tuned. weights: the full trained tensors by parameter name, where this process holds its shard only.
    """
    private_folder(folder)
    if policy.whole:
        with _published(folder, "model") as aside:
            policy.model.save_pretrained(aside, state_dict=weights or _without_heads(policy.model))
            policy.tokenizer.save_pretrained(aside)
    if DEFAULT in policy.slots:
        with _published(folder, "adapter") as aside:
            _write_slot(policy, DEFAULT, aside, weights)
    if named := [name for name in policy.slots if name != DEFAULT]:
        with _published(folder, "slots") as aside:
            for name in named:
                _write_slot(policy, name, private_folder(aside / name), weights)


@contextmanager
def _published(folder: Path, name: str) -> Iterator[Path]:
    aside = folder / f".{name}.part"
    shutil.rmtree(aside, ignore_errors=True)  # of a run that was killed
    private_folder(aside)
    yield aside
    publish_folder(aside, folder / name)


def _without_heads(model: Any) -> dict[str, Tensor]:
    return {name: weight for name, weight in model.state_dict().items() if not name.startswith("heads.")}


def _load_base(source: ModelSource, dtype: torch.dtype, seed: int) -> Any:
    """The base model, every weight frozen; drawn from `seed` where it is one that is trained from scratch."""
    if source.kind == "made":
        return find_family(source.location).drawn(source.location, seed).requires_grad_(False).to(compute_device())
    if not source.load_in_4bit:
        return _load_backbone(source.location, dtype, source.layers)
    model = _load_backbone(source.location, dtype, quantization_config=four_bits(dtype))
    pin_compute_dtype(model)
    return model


def _load_backbone(folder: Path, dtype: torch.dtype, layers: int | None = None, **options: Any) -> Any:
    """The model in `folder`, every weight frozen; its first `layers` layers. Raises `InputError` when weights are
    missing, or of other sizes.
    """
    family = find_family(folder)
    if layers is not None:
        options["config"] = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        keep_layers(options["config"], layers)
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


def compute_device() -> torch.device:
    """The device of policies: the first accelerator, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def slot_folders(folder: Path) -> dict[str, Path]:
    """Where each slot of a saved policy lies, by its name."""
    named = {one.name: one for one in (folder / "slots").glob("*") if one.is_dir()}
    return named | ({DEFAULT: folder / "adapter"} if (folder / "adapter").is_dir() else {})


def _read_slot(folder: Path) -> Slot:
    if (folder / HEAD_FILE).is_file():
        return _read_head(folder / HEAD_FILE)
    if not (folder / ADAPTER_FILE).is_file():
        raise InputError(Problem(str(folder), f"there is no {ADAPTER_FILE} in it", "Only safetensors load."))
    saved = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if folder.name == "adapter" and saved["peft_type"] == "LORA":
        modules = tuple(sorted(saved["target_modules"]))
        return AdapterSettings(rank=saved["r"], alpha=saved["lora_alpha"], target_modules=modules)
    try:
        config: Any = PeftConfig.from_pretrained(str(folder))
        own = {key: value for key, value in config.to_dict().items() if key not in NOT_THE_USERS and value is not None}
        return SlotSettings(type=saved["peft_type"], **{key: own[key] for key in own if "dropout" not in key})
    except (ValueError, TypeError) as error:
        what = f"PEFT does not read its configuration again: {' '.join(str(error).split())[:200]}"
        raise InputError(Problem(str(folder), what, "Take other settings of this slot, or another type.")) from None


def _read_head(file: Path) -> Slot:
    """Its file says what it reads; one that was written before there was a choice reads what its family's do."""
    with safe_open(file, framework="pt") as held:
        settings = settings_of(held.metadata() or {})
        outputs = len(held.get_tensor("weight"))
    return SlotSettings(type=HEAD, outputs=outputs, **settings)


def _fill(model: Any, name: str, slot: Slot, folder: Path) -> None:
    """Put the saved weights into a slot. Raises `InputError` unless each of its weights is there."""
    if slot.type == HEAD:
        head, weights = heads_of(model)[name], load_file(folder / HEAD_FILE)
        if "bias" in weights and head.bias is None:  # a causal model's, of a version in which it had one
            head.bias = torch.nn.Parameter(torch.zeros_like(weights["bias"], device=head.weight.device))
        head.load_state_dict(weights)
        return
    if in_front(slot):
        model.prompt_encoder[name].load_state_dict(load_file(folder / PROMPT_FILE))
        return
    found: Any = set_peft_model_state_dict(model, load_file(folder / ADAPTER_FILE), adapter_name=name)
    lost = [key for key in found.missing_keys if key in slot_weights(model, name)]
    if lost or found.unexpected_keys:
        what = f"{len(lost)} weights of the slot are missing and {len(found.unexpected_keys)} belong to another model"
        raise InputError(Problem(str(folder), what, "Name the model that it was trained on."))


def _write_slot(policy: Policy, name: str, folder: Path, weights: dict[str, Tensor] | None) -> None:
    model, slot = policy.model, policy.slots[name]
    if slot.type == HEAD:
        head = heads_of(model)[name]
        save_file(_plain(head.state_dict()), folder / HEAD_FILE, metadata=metadata_of(head))
        return
    # peft's own saving would look the base model up on the hub, and write a card with this machine's paths.
    state = get_peft_model_state_dict(model, state_dict=weights, adapter_name=name, save_embedding_layers=False)
    save_file(_plain(state), folder / ADAPTER_FILE, metadata={"format": "pt"})
    if in_front(slot):  # peft keeps what its encoder makes of them, from which nothing could be trained further
        save_file(_plain(model.prompt_encoder[name].state_dict()), folder / PROMPT_FILE, metadata={"format": "pt"})
    source = policy.source
    base = source.title if source.kind == "folder" else source.name  # a folder's name may be a path of this machine
    config = model.peft_config[name].to_dict()
    config |= {"inference_mode": True, "base_model_name_or_path": base}
    plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
    (folder / "adapter_config.json").write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n")


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies on the CPU: layers may share a tensor, which safetensors refuses."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what peft warns of and users cannot act on: a deprecation, and names that its own loading mistakes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        warnings.filterwarnings("ignore", message="Model has `tie_word_embeddings=True`")  # an export is asked again
        warnings.filterwarnings("ignore", message="Adapter name .* should not be contained in the prefix")
        yield
