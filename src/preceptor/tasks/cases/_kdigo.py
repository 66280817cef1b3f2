"""The stage of acute kidney injury by KDIGO 2012, from creatinine readings and urine output."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

Unit = Literal["mg/dL", "µmol/L"]

RISE: dict[Unit, Decimal] = {"mg/dL": Decimal("0.3"), "µmol/L": Decimal("26.5")}
SEVERE: dict[Unit, Decimal] = {"mg/dL": Decimal("4.0"), "µmol/L": Decimal("353.6")}
RISE_HOURS = 48
BASELINE_HOURS = 7 * 24


class Reading(NamedTuple):
    """One serum creatinine, `hour` hours after the start of the record."""

    hour: int
    value: Decimal


class Urine(NamedTuple):
    """Urine output in mL/kg/h, the same over `hours` hours."""

    hours: int
    rate: Decimal


def kdigo_stage(creatinine: Sequence[Reading], urine: Sequence[Urine], unit: Unit = "mg/dL") -> int:
    """The stage, 0 (no acute kidney injury) to 3: the worse of the two criteria.

    `creatinine` is in `unit` and in order of time; the `urine` periods follow one another without a gap.
    Source: KDIGO Clinical Practice Guideline for Acute Kidney Injury, Kidney Int Suppl 2012;2(1), 2.1.1 and table 2.
    """
    return max(creatinine_stage(creatinine, unit), urine_stage(urine))


def creatinine_stage(creatinine: Sequence[Reading], unit: Unit = "mg/dL") -> int:
    """The stage by creatinine alone.

    The baseline of a reading is the lowest one of the 7 days before it. 4.0 mg/dL counts as stage 3 only where a
    rise of 0.3 mg/dL within 48 h or to 1.5 times the baseline shows that it is acute.
    """
    pairs = [
        (later.hour - earlier.hour, earlier.value, later.value)
        for index, later in enumerate(creatinine)
        for earlier in creatinine[:index]
    ]
    rise = max((after - before for hours, before, after in pairs if hours <= RISE_HOURS), default=Decimal(0))
    ratio = highest_ratio(creatinine)
    acute = rise >= RISE[unit] or ratio >= Decimal("1.5")
    if not acute:
        return 0
    if ratio >= 3 or max(reading.value for reading in creatinine) >= SEVERE[unit]:
        return 3
    return 2 if ratio >= 2 else 1


def highest_ratio(creatinine: Sequence[Reading]) -> Decimal:
    """The highest reading over an earlier one of at most 7 days before; 0 for fewer than two readings."""
    return max(
        (
            later.value / earlier.value
            for index, later in enumerate(creatinine)
            for earlier in creatinine[:index]
            if later.hour - earlier.hour <= BASELINE_HOURS
        ),
        default=Decimal(0),
    )


def urine_stage(urine: Sequence[Urine]) -> int:
    """The stage by urine output alone: the longest unbroken time below 0.5, below 0.3, and without any urine."""
    below_half = _longest(urine, lambda rate: rate < Decimal("0.5"))
    if _longest(urine, lambda rate: rate < Decimal("0.3")) >= 24 or _longest(urine, lambda rate: rate == 0) >= 12:
        return 3
    if below_half >= 12:
        return 2
    return 1 if below_half >= 6 else 0


def _longest(urine: Sequence[Urine], low: Callable[[Decimal], bool]) -> int:
    longest = current = 0
    for period in urine:
        current = current + period.hours if low(period.rate) else 0
        longest = max(longest, current)
    return longest
