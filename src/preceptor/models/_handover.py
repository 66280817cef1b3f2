"""What one stage left and another starts from, compared tensor by tensor: nothing is lost without a word."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict
from safetensors.torch import load_file
from torch import Tensor

from preceptor.errors import PreceptorError
from preceptor.models._head import heads_of
from preceptor.models._policy import ADAPTER_FILE, HEAD_FILE, PROMPT_FILE, Policy, slot_folders
from preceptor.models._slots import HEAD, in_front

_SHOWN = 3


def check_handover(policy: Policy, folder: Path) -> None:
    """Hold a policy that was made to go on from the one saved in `folder` against what lies there: every tensor of a
    slot that both have, and of `model/`, must be the same to the bit, in the number format that the policy is held in.

    What the policy has beside these is new. Raises PreceptorError where a tensor differs or is missing.
    """
    wrong = sorted(set(_different(policy, folder)))
    if wrong:
        shown = ", ".join(wrong[:_SHOWN])
        raise PreceptorError(f"{len(wrong)} tensors are not those that the stage before left, {shown} among them")


def _different(policy: Policy, folder: Path) -> Iterator[str]:
    for name, saved in slot_folders(folder).items():
        if name in policy.slots:
            for file, held in _slot_tensors(policy, name):
                yield from _unlike(load_file(saved / file), held)
    for weights in sorted((folder / "model").glob("*.safetensors")):
        own, left = dict(policy.model.state_dict()), load_file(weights)
        yield from _unlike({path: left[path] for path in left.keys() & own.keys()}, own)


def _slot_tensors(policy: Policy, name: str) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """The file that holds a slot's tensors, and those that the policy has."""
    model: Any = policy.model
    if policy.slots[name].type == HEAD:
        yield HEAD_FILE, heads_of(model)[name].state_dict()
    elif in_front(policy.slots[name]):
        yield PROMPT_FILE, model.prompt_encoder[name].state_dict()
    else:
        yield ADAPTER_FILE, get_peft_model_state_dict(model, adapter_name=name, save_embedding_layers=False)


def _unlike(left: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Iterator[str]:
    """The names of tensors that are not the same."""
    for path, tensor in left.items():
        held = own.get(path)
        if held is None or not torch.equal(held.detach().cpu(), tensor.to(held.dtype)):
            yield path
