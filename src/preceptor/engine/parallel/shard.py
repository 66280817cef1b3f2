"""One model in several processes: each holds a part of every weight (FSDP2), and computes trees of its own.

torch's own `fully_shard` does it. transformers' `DistributedConfig` shards the backbone before an adapter is put on it,
so that the adapter stays whole in every process and its gradient is averaged, where ours is a sum over trees; and both
it and accelerate gather weights around the model's `forward`, which a tree goes past on its way to the vocabulary.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any, TypeVar

import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, set_model_state_dict
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from preceptor.engine.settings import Numerics
from preceptor.errors import PreceptorError

Out = TypeVar("Out")

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)


def rank() -> int:
    """Rank of this process in its group; 0 without a group."""
    return dist.get_rank() if dist.is_initialized() else 0


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Leave in this process its part of every weight: layer by layer, and what stands outside the layers together.

    Gradients are added up over the processes, because each tree's loss is already divided by what the whole step holds.
    """
    causal: Any = model
    if hasattr(causal, "peft_config"):
        causal = causal.get_base_model()
    layers = set(causal._no_split_modules or ())
    for module in list(model.modules()):
        if type(module).__name__ in layers:
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)
    vars(model)["compute_whole"] = MethodType(_compute_whole, model)
    register_fsdp_forward_method(model, "compute_whole")


def in_forward(model: nn.Module, compute: Callable[[], Out]) -> Out:
    """What `compute` makes of the model, with the weights outside its layers gathered as for its own `forward`.

    The layers gather theirs themselves. `compute` returns tensors, whose gradients bring the weights back again.
    """
    if not isinstance(model, FSDPModule):
        return compute()
    sharded: Any = model
    out: Out = sharded.compute_whole(compute)
    return out


@contextmanager
def whole(model: nn.Module) -> Iterator[None]:
    """In the block every process holds the whole model and computes by itself, without gradients.

    Every process must begin and end it.
    """
    parts = [part for part in model.modules() if isinstance(part, FSDPModule)]
    for part in parts:
        part.set_reshard_after_forward(False, recurse=False)
        part.unshard()
    yield
    for part in parts:
        part.reshard()
        part.set_reshard_after_forward(part is not model, recurse=False)  # as torch does: the outermost stays gathered


def _compute_whole(model: nn.Module, compute: Callable[[], Out]) -> Out:
    return compute()


def check_sharding(model: nn.Module, numerics: Numerics) -> None:
    """Raises PreceptorError unless the model is held as the numerics say: whole, or a part in each process."""
    processes = dist.get_world_size() if dist.is_initialized() else 1
    if processes != numerics.processes:
        raise PreceptorError(f"{numerics.processes} processes were asked for and {processes} came")
    whole = [name for name, weight in model.named_parameters() if not _is_sharded(weight)]
    if processes > 1 and whole:
        raise PreceptorError(f"{len(whole)} weights are whole in every process, {whole[0]} among them")


def _is_sharded(weight: Tensor) -> bool:
    return isinstance(weight, DTensor) and all(placement.is_shard() for placement in weight.placements)


def gathered(value: Out) -> list[Out]:
    """The values of all processes, by rank (all-gather): every process must call it."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def learned_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights that learn, whole, on the CPU, by their names in the model; empty in all processes but the first."""
    weights: dict[str, Any] = get_model_state_dict(model, options=_WHOLE)
    return weights


def put_weights(model: nn.Module, weights: dict[str, Any]) -> None:
    """Put whole weights, read by every process, into the parts that each holds."""
    set_model_state_dict(model, weights, options=StateDictOptions(full_state_dict=True, strict=False))
