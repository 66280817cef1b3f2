"""The KV cache of prefilled prompts, preallocated for the answers that follow."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class _RoomyLayer(DynamicLayer):
    """A new token's keys and values are written behind those of the prompt.

    `DynamicLayer` makes a new tensor of all of them at every token: with 32 prompts of 500 tokens that copies more
    than the weights of the model it is for.
    """

    def __init__(self, keys: Tensor, values: Tensor, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self._room = [_with_room(x, room) for x in (keys, values)]
        self._length = keys.shape[-2]
        self._show()

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Take in one token of each row. key_states, value_states: [rows, key heads, 1, head_dim]."""
        start, self._length = self._length, self._length + key_states.shape[-2]
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, start : self._length] = new
        return self._show()

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the rows `indices`."""
        self._room = [room[indices] for room in self._room]
        self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        keys, values = (room[:, :, : self._length] for room in self._room)
        self.keys, self.values = keys, values
        return keys, values


def cache_of_paths(config: Any, kept: Sequence[tuple[Tensor, Tensor]], columns: Tensor, room: int) -> DynamicCache:
    """Each row's keys and values out of a tree's, with `room` tokens to come.

    kept: of every layer, keys and values [1, key heads, prefix + T, head_dim]. columns: [rows, longest], what each row
    sees of them.
    """
    cache = DynamicCache(config=config)
    for layer, (key, value) in enumerate(kept):
        keys, values = (x[0][:, columns].transpose(0, 1) for x in (key, value))
        if type(cache.layers[layer]) is DynamicLayer:
            cache.layers[layer] = _RoomyLayer(keys, values, room)
        else:  # a window keeps its last tokens only
            cache.update(keys, values, layer)
    return cache


def _with_room(x: Tensor, room: int) -> Tensor:
    rows, heads, length, head_dim = x.shape
    roomy = x.new_zeros(rows, heads, length + room, head_dim)
    roomy[:, :, :length] = x
    return roomy
