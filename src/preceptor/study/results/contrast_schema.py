"""What `results.json` says of two arms: their difference, its verdict, and the cases that must not be missed."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from preceptor.evidence import Verdict
from preceptor.study.results.schema_values import STRICT, Count, Difference, Interval, NotNegative, Share, Unit

Family = Literal["primary", "gatekeeping", "secondary"]
"""Contrasts that the study's question turns on; those with simpler ways, which must be beaten; all others. Earlier
versions counted the second among the third."""


class _Part(BaseModel):
    model_config = STRICT


class SeedDelta(_Part):
    """The difference with one seed."""

    seed: int
    delta: Difference


class Paired(_Part):
    """How often both arms, only one or neither was right, on the first seed."""

    both_right: Count
    only_a: Count
    only_b: Count
    neither: Count


class Detected(_Part):
    """Of the held-out cases of one kind, the shares on which arms a and b are right, means over seeds, and the 90%
    interval of a - b: its ends are one-sided 95% bounds.
    """

    a: Unit
    b: Unit
    ci_90: Interval
    cases: Count
    patients: Count


class Dangerous(_Part):
    """Cases with a dangerous gold label that b caught and a missed (`lost`), and the reverse, over `seeds` together.

    sensitivity: of the dangerous cases; specificity: of all others, those that are answered with another label. None
    without such a case, and in results of earlier versions. margin: a loss of sensitivity that would be too much.
    """

    labels: list[str]
    lost: Count
    gained: Count
    seeds: Annotated[int, Field(ge=1)] = 1
    """Results of earlier versions count the first seed alone."""
    sensitivity: Detected | None = None
    specificity: Detected | None = None
    margin: Unit | None = None


class Contrast(_Part):
    """Arm a minus arm b on one task, with its verdict."""

    task: str
    model: str
    metric: str
    family: Family = "secondary"
    a: str
    b: str
    delta: Difference
    ci: Interval | None = None
    ci_90: Interval | None = None
    p: Unit | None
    p_adjusted: Unit | None
    adjustment: str = "holm"
    """`closed` testing over questions for primary contrasts (earlier: Holm), `holm` for gatekeeping ones, else `bh`."""
    test: str
    interval: str = "patients resampled"
    n: Count
    patients: Count | None = None
    differing: Count | None = None
    """Patients on whom the two arms differ."""
    seeds: list[SeedDelta] = []
    margin: Unit | None = None
    verdict: Verdict
    less_than_matters: bool = False
    below_margin: bool = False
    descriptive: str | None = None
    counts: Paired | None = None
    more_right: float | None = None
    """Cases that a answered rightly more than b did, the mean over seeds; None for text, and in earlier versions."""
    dangerous: Dangerous | None = None
    answers_changed: Share | None = None
    """Share of held-out answers that differ between the arms, the mean over seeds: labels as labels, texts as texts."""
    price_ratio: NotNegative | None = None
    """Training compute of a over b's, whole arms and all seeds, without evaluations; None where b cost nothing."""
    needed: Count | None = None
    """Patients that would settle what stayed open; None where nothing did, or no margin was set."""
    sentence: str


class NotCompared(_Part):
    """A contrast that the study would have, but for what failed."""

    task: str
    model: str
    family: Family
    a: str
    b: str
    sentence: str
