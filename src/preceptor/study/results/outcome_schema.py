"""What `results.json` says of outcomes that arms were asked beside their task."""

from typing import Literal

from pydantic import BaseModel

from preceptor.study.results.schema_values import STRICT, Count, Interval, Share
from preceptor.study.run.failures import Failure


class _Part(BaseModel):
    model_config = STRICT


class FigurePart(_Part):
    """A figure in words. `ideal`: where a value is best, if neither more nor less is."""

    name: str
    title: str
    explanation: str
    better: Literal["higher", "lower", "ideal"]
    ideal: float | None = None


class OutcomePart(_Part):
    """An outcome in words, the arms that were not asked it, with the reason, and those of which asking failed."""

    name: str
    title: str
    explanation: str
    warnings: list[str] = []
    figures: list[FigurePart] = []
    not_asked: dict[str, str] = {}
    failed: list[Failure] = []


class OutcomeValue(_Part):
    """A figure of one arm with one seed; the 95% interval resamples whole groups, such as patients."""

    outcome: str
    figure: str
    task: str
    arm: str
    seed: int
    value: float | None
    ci: Interval | None = None
    n: Count
    groups: Count


class OutcomeContrast(_Part):
    """`a` minus `b` by one figure on the same items, the mean over seeds. p_adjusted: by Holm over the outcome's."""

    outcome: str
    figure: str
    task: str
    a: str
    b: str
    delta: float
    ci: Interval | None = None
    p: Share
    p_adjusted: Share
