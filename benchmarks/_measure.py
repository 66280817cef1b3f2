"""Two ways of doing the same work, measured side by side, and the row that says how they compare."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from preceptor.errors import PreceptorError
from preceptor.progress import Advance

Work = Callable[[], float | None]
"""Does its work once. What it returns, a loss for instance, must be the same for every way of doing it, if not None."""

_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; `holds` says whether `ratio`, ours over the peer's, keeps to `bound`, if there is one."""

    what: str
    case: str
    ours: float
    peer: float
    unit: str
    ratio: float
    bound: float | None
    holds: bool | None


HEADER = f"{'shape':6}{'what':44}{'ours':>9}{'peer':>9} {'unit':11}{'ratio':>7}{'bound':>7}  holds"
"""Above `line`s."""


def line(row: Row) -> str:
    """A row of the table that is printed."""
    bound = "-" if row.bound is None else f"{row.bound:g}"
    holds = {True: "yes", False: "NO", None: "-"}[row.holds]
    figures = f"{row.ours:>9.3g}{row.peer:>9.3g} {row.unit:11}{row.ratio:>7.2f}{bound:>7}"
    return f"{row.case:6}{row.what:44}{figures}  {holds}"


def at_least(what: str, case: str, ours: float, peer: float, unit: str, bound: float | None) -> Row:
    """A row of which more is better: rates."""
    ratio = ours / peer
    return Row(what, case, ours, peer, unit, ratio, bound, None if bound is None else ratio >= bound)


def at_most(what: str, case: str, ours: float, peer: float, unit: str, bound: float | None) -> Row:
    """A row of which less is better: time, memory."""
    ratio = ours / peer
    return Row(f"{what}, at most", case, ours, peer, unit, ratio, bound, None if bound is None else ratio <= bound)


def alternate(works: Sequence[Work], times: int, advance: Advance) -> list[float]:
    """Median seconds of each work. All are done in turn, `times` times, after one time that is not counted.

    So a busy moment of the machine hits all of them. Raises PreceptorError when the first results are not the same.
    """
    _same([_once(work, advance)[1] for work in works])
    seconds = [[_once(work, advance)[0] for work in works] for _ in range(times)]
    return [statistics.median(each) for each in zip(*seconds, strict=True)]


def _once(work: Work, advance: Advance) -> tuple[float, float | None]:
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    advance(1)
    return seconds, result


def _same(results: Sequence[float | None]) -> None:
    found = [result for result in results if result is not None]
    if not all(math.isclose(found[0], other, rel_tol=_TOLERANCE) for other in found):
        raise PreceptorError(f"the two sides do not compute the same: {', '.join(f'{each:.6g}' for each in found)}")


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of both sides: what transformers' Trainer takes when nothing is said."""
    return torch.optim.AdamW(
        [weight for weight in model.parameters() if weight.requires_grad], lr=2e-5, weight_decay=0.0, fused=True
    )
