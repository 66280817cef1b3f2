"""What `results.json` says of raters: their agreement, and their scores of held-out answers."""

from pydantic import BaseModel

from preceptor.evidence import Level, Verdict
from preceptor.study.results.schema_values import STRICT, Count, Interval, Unit

_NO_INTERVAL: Interval = (None, None)


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
