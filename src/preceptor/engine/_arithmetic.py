"""How a model computes while we train, score or write with it."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from preceptor.engine._float32_head import float32_head
from preceptor.engine._sixteen_bits import products_in_float32


@contextmanager
def arithmetic(model: nn.Module) -> Iterator[None]:
    """Within the block: float32 logits in every number format, and no CPU that is slow for want of instructions.

    Blocks may be nested; the inner ones change nothing.
    """
    with float32_head(model), products_in_float32(model):
        yield
