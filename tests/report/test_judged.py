"""What is computed again of a contrast is what the study computed, for each kind of interval."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.evidence import TANGO, Sample, compare, compared_fields, find_metric, judge
from preceptor.report.consistency.judged import _computed_again
from preceptor.report.consistency.wrong import unlike
from preceptor.study.results.contrast_schema import Contrast, Paired, SeedDelta


def contrast_of(metric: str, right_a: list[list[bool]], right_b: list[list[bool]]) -> Contrast:
    """Arms that are right on these cases, one list a seed, one case a patient."""
    gold = np.arange(len(right_a[0])) % 2
    ours, theirs = (
        [Sample(np.arange(len(gold)), gold, np.where(right, gold, 1 - gold)) for right in arm]
        for arm in (right_a, right_b)
    )
    found = compare(find_metric(metric), ours, theirs, resamples=200, swapped=99)
    pairs = list(zip(right_a[0], right_b[0], strict=True))
    counts = Paired(
        both_right=pairs.count((True, True)), only_a=pairs.count((True, False)),
        only_b=pairs.count((False, True)), neither=pairs.count((False, False)),
    )  # fmt: skip
    return Contrast(
        task="t", model="m", metric=metric, a="sft", b="base", p_adjusted=found.p, sentence="", counts=counts,
        seeds=[SeedDelta(seed=n, delta=delta) for n, delta in enumerate(found.seed_deltas)],
        **compared_fields(found, judge(found, found.p)),
    )  # fmt: skip


right = st.lists(st.booleans(), min_size=24, max_size=24)


@settings(max_examples=20, deadline=None)
@given(a=right, b=right)
def test_a_paired_table_gives_test_and_intervals_again(a: list[bool], b: list[bool]) -> None:
    contrast = contrast_of("accuracy", [a], [b])
    again = _computed_again(contrast)
    assert contrast.interval == TANGO
    assert set(again) == {"p", "ci", "ci_90", "differing"}
    assert not any(unlike(getattr(contrast, name), value) for name, value in again.items())


@settings(max_examples=10, deadline=None)
@given(a=st.lists(right, min_size=5, max_size=6), b=right)
def test_many_seeds_do(a: list[list[bool]], b: list[bool]) -> None:
    contrast = contrast_of("macro_f1", a, [b] * len(a))
    again = _computed_again(contrast)
    assert set(again) == {"p", "ci", "ci_90"}
    assert not any(unlike(getattr(contrast, name), value) for name, value in again.items())


@pytest.mark.parametrize("place", ["p", "ci", "ci_90"])
def test_a_changed_one_is_another(place: str) -> None:
    contrast = contrast_of("accuracy", [[True] * 16 + [False] * 8], [[True] * 6 + [False] * 18])
    changed = contrast.model_copy(update={place: 0.5 if place == "p" else (0.1, 0.2)})
    assert unlike(getattr(changed, place), _computed_again(changed)[place])
