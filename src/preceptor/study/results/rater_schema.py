"""What `results.json` says of raters: their agreement, and their scores of held-out answers."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from preceptor.evidence import Level, Verdict

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

_NO_INTERVAL: Interval = (None, None)


STRICT = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)
"""What holds for every object of `results.json`."""


class _Part(BaseModel):
    model_config = STRICT


class FigurePart(_Part):
    """A figure of agreement."""

    value: float | None
    ci: Interval = _NO_INTERVAL


class AgreementPart(_Part):
    """How far raters agree; `level` is the scale of measurement of their ratings."""

    level: Level
    items: Count
    raters: Count
    raw: FigurePart
    alpha: FigurePart
    kappa: FigurePart


class HumanAgreement(_Part):
    """How far the raters who gave the gold labels agree, in the task's own metric and beyond chance."""

    metric: str
    value: Unit | None
    ci: Interval = _NO_INTERVAL
    items: Count
    patients: Count
    raters: Count
    agreement: AgreementPart | None = None


class Rater(_Part):
    """One rater's scores of two arms."""

    rater: str
    n: Count
    mean_a: float
    mean_b: float
    delta: float
    also_made_training_pairs: bool = False


class Human(_Part):
    """Arm a minus arm b in what raters gave points for, on held-out cases where the two say different things."""

    task: str
    a: str
    b: str
    seed: int
    scale: str
    higher_is_better: bool = True
    mean_a: float
    mean_b: float
    delta: float
    ci: Interval = _NO_INTERVAL
    p: Unit
    p_adjusted: Unit
    test: str
    interval: str
    n: Count
    patients: Count
    verdict: Verdict
    descriptive: str | None = None
    sentence: str
    raters: list[Rater]
    agreement: AgreementPart | None = None
    held_out: Count
    differing: Count
    outdated: Count = 0
