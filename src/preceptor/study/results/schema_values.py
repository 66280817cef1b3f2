"""What the parts of `results.json` are made of: numbers and intervals with their bounds, and how strict they are."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

_ROUNDING = 1e-9


def _ordered(interval: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    low, high = interval
    if (low is None) != (high is None):
        raise ValueError("an interval needs both its ends, or none")
    if low is not None and high is not None and low > high:
        raise ValueError("the lower end of the interval is above the upper one")
    return interval


Interval = Annotated[tuple[float | None, float | None], AfterValidator(_ordered)]
Unit = Annotated[float, Field(ge=-_ROUNDING, le=1 + _ROUNDING)]
"""A metric, or a p-value: between 0 and 1, as far as rounding lets it."""
Share = Annotated[float, Field(ge=0, le=1)]
Difference = Annotated[float, Field(ge=-1 - _ROUNDING, le=1 + _ROUNDING)]
"""Of two metrics."""
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]

STRICT = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)
"""What holds for every object of `results.json`; each file gives it to a base class of its own, in which ruff knows a
pydantic class.
"""
