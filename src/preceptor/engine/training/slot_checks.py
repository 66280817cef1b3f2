"""What learned and what stayed as it was: checked while a stage trains, so that a dead slot never gives a number."""

import hashlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from preceptor.engine.parallel.shard import gathered
from preceptor.errors import InputError, PreceptorError, Problem
from preceptor.models import Policy, heads_of, slot_title, slot_weights

_DIGESTED_BYTES = 2_000_000_000
"""Frozen weights of more bytes are watched by torch's version counters, which count changes in place."""
_STEPS_WITHOUT_GRADIENT = 3
"""LoRA's A has none at the first step, because B is 0."""
_PROBE_TOKENS = 4


class SlotChecks(TrainerCallback):
    """Raises InputError for a slot without a gradient by the third step whose rate is above 0 (a head: by the first),
    and PreceptorError when a frozen weight is not what it was before the stage.
    """

    def __init__(self, policy: Policy) -> None:
        self._model: nn.Module = policy.model
        heads = heads_of(policy.model)
        self._waiting = {name: 1 if name in heads else _STEPS_WITHOUT_GRADIENT for name in policy.learning}
        sharded = any(isinstance(weight, DTensor) for weight in policy.model.parameters())
        self._before = None if sharded else frozen_digest(policy.model)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Look for a gradient in each slot that has had none yet."""
        if not any(group["lr"] > 0 for group in kwargs["optimizer"].param_groups):
            return
        for name in list(self._waiting):
            if any(gathered(_has_gradient(slot_weights(self._model, name)))):
                del self._waiting[name]
                continue
            self._waiting[name] -= 1
            if self._waiting[name] == 0:
                what = (
                    f"it learns nothing: none of its weights had a gradient by optimizer step {state.global_step + 1}"
                )
                fix = (
                    "It takes no part in the loss. Leave it out of `train`, or change its type or its settings, such "
                    "as target_modules or a scale of 0."
                )
                raise InputError(Problem(slot_title(name), what, fix))

    def check_frozen(self) -> None:
        """Call it when the stage has ended. Of a model that processes share, each holds now a part, now the whole."""
        if self._before is not None and frozen_digest(self._model) != self._before:
            raise PreceptorError("a weight that is frozen changed while the stage trained")


def idle_slots(model: Any, slots: Iterable[str], *, by_head: bool) -> list[str]:
    """Those of `slots` none of whose weights takes part in the last hidden state, `by_head`, or else in the logits.

    model: a `blueprint` of the whole model, without numbers.
    """
    tokens = torch.zeros(1, _PROBE_TOKENS, dtype=torch.long, device="meta")
    made = model(input_ids=tokens, output_hidden_states=by_head)
    read = made.hidden_states[-1] if by_head else made.logits
    if read.requires_grad:
        read.sum().backward()
    return [name for name in slots if all(weight.grad is None for weight in slot_weights(model, name).values())]


def frozen_digest(model: nn.Module) -> str:
    """Names the bits of every weight that does not learn; see `_DIGESTED_BYTES`."""
    frozen = {name: weight for name, weight in model.named_parameters() if not weight.requires_grad}
    digest = hashlib.sha256()
    counted = sum(weight.nbytes for weight in frozen.values()) > _DIGESTED_BYTES
    for name, weight in sorted(frozen.items()):
        digest.update(name.encode())
        digest.update(str(weight._version).encode() if counted else _bytes(weight))
    return digest.hexdigest()


def _bytes(weight: Tensor) -> Any:
    """An array [bytes] over a weight's memory."""
    return weight.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()


def _has_gradient(weights: dict[str, nn.Parameter]) -> bool:
    grads: list[Any] = [weight.grad for weight in weights.values() if weight.grad is not None]
    return any(bool((one.to_local() if hasattr(one, "to_local") else one).any()) for one in grads)
