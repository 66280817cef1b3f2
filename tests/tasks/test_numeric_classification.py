import random
from collections import Counter, defaultdict
from decimal import Decimal
from statistics import mean

import pytest

from preceptor.tasks import Example, make_cases
from preceptor.tasks.cases._kdigo import Reading, Unit, Urine, creatinine_stage, kdigo_stage, urine_stage
from preceptor.tasks.cases.numeric_classification import CREATININE, LABELS, URINE, draw


def readings(*points: tuple[int, str]) -> list[Reading]:
    return [Reading(hour, Decimal(value)) for hour, value in points]


def periods(*parts: tuple[int, str]) -> list[Urine]:
    return [Urine(hours, Decimal(rate)) for hours, rate in parts]


# Stages worked out by hand from KDIGO 2012, 2.1.1 and table 2.
@pytest.mark.parametrize(
    ("points", "stage"),
    [
        ([(0, "1.0"), (48, "1.3")], 1),
        ([(0, "1.0"), (49, "1.3")], 0),
        ([(0, "1.0"), (60, "1.3")], 0),
        ([(0, "1.0"), (30, "1.15"), (60, "1.45")], 1),
        ([(0, "1.0"), (24, "1.29")], 0),
        ([(0, "0.7"), (120, "0.98")], 0),
        ([(0, "0.8"), (120, "1.2")], 1),
        ([(0, "0.8"), (168, "1.2")], 1),
        ([(0, "0.8"), (100, "0.9"), (200, "1.2")], 0),
        ([(0, "0.8"), (72, "1.6")], 2),
        ([(0, "0.8"), (72, "2.32")], 2),
        ([(0, "0.8"), (72, "2.4")], 3),
        ([(0, "4.2"), (48, "4.2"), (96, "4.3")], 0),
        ([(0, "3.8"), (24, "4.0")], 0),
        ([(0, "3.7"), (24, "4.0")], 3),
        ([(0, "3.4"), (24, "3.9")], 1),
        ([(0, "2.0"), (24, "1.0")], 0),
        ([(0, "1.0")], 0),
        ([], 0),
    ],
)
def test_creatinine_stages(points: list[tuple[int, str]], stage: int) -> None:
    assert creatinine_stage(readings(*points)) == stage


@pytest.mark.parametrize(
    ("points", "stage"),
    [
        ([(0, "80"), (24, "106")], 0),
        ([(0, "80"), (24, "106.5")], 1),
        ([(0, "320"), (24, "353")], 1),
        ([(0, "320"), (24, "354")], 3),
    ],
)
def test_creatinine_in_micromoles(points: list[tuple[int, str]], stage: int) -> None:
    assert creatinine_stage(readings(*points), "µmol/L") == stage


@pytest.mark.parametrize(
    ("parts", "stage"),
    [
        ([], 0),
        ([(24, "0.5")], 0),
        ([(5, "0.4")], 0),
        ([(6, "0.4")], 1),
        ([(5, "0.4"), (2, "0.6"), (5, "0.4")], 0),
        ([(3, "0.4"), (3, "0.2")], 1),
        ([(11, "0")], 1),
        ([(12, "0.4")], 2),
        ([(23, "0.2")], 2),
        ([(30, "0.3")], 2),
        ([(24, "0.25")], 3),
        ([(12, "0")], 3),
        ([(8, "1.0"), (12, "0"), (4, "0.7")], 3),
    ],
)
def test_urine_stages(parts: list[tuple[int, str]], stage: int) -> None:
    assert urine_stage(periods(*parts)) == stage


def test_the_worse_criterion_counts() -> None:
    assert kdigo_stage(readings((0, "0.8"), (72, "1.6")), periods((6, "0.4"))) == 2
    assert kdigo_stage(readings((0, "0.8"), (72, "1.6")), periods((12, "0"))) == 3


@pytest.fixture(scope="module")
def cases() -> list[Example]:
    return make_cases("numeric_classification", 3000, 0)


def test_three_thousand_distinct_cases(cases: list[Example]) -> None:
    assert len({case.fields["record"].casefold() for case in cases}) == 3000
    assert len({case.id for case in cases}) == 3000


def test_labels_are_about_equally_frequent(cases: list[Example]) -> None:
    for split in ("train", "test"):
        counts = Counter(case.target for case in cases if case.split == split)
        assert set(counts) == set(LABELS)
        assert min(counts.values()) > 0.8 * max(counts.values())


def test_the_text_never_says_the_answer(cases: list[Example]) -> None:
    for case in cases:
        text = case.fields["record"].casefold()
        assert not any(word in text for word in ("aki", "stage", "kdigo", "acute", "kidney injury"))


def test_length_does_not_tell_the_label(cases: list[Example]) -> None:
    lengths = defaultdict(list)
    for case in cases:
        lengths[case.target].append(len(case.fields["record"]))
    means = [mean(values) for values in lengths.values()]
    assert max(means) < 1.1 * min(means)


def test_patterns_and_wordings_of_test_are_unseen_and_stories_are_seen() -> None:
    rng = random.Random(0)
    drawn = {side: [draw(rng, side) for _ in range(1500)] for side in ("train", "test")}  # type: ignore[arg-type]
    for what in ("pattern", "wording"):
        train, test = ({getattr(case, what) for case in drawn[side]} for side in ("train", "test"))
        assert train.isdisjoint(test)
    for position, stories in enumerate((CREATININE, URINE)):
        for side in ("train", "test"):
            seen = {case.pattern.split(" and ")[position] for case in drawn[side]}
            assert seen == {story.name for story in stories}


def test_at_least_half_of_the_negatives_miss_by_one_criterion() -> None:
    plain = {"stable and good urine", "stable and urine not charted"}
    rng = random.Random(0)
    negatives = [case for _ in range(800) if (case := draw(rng, "train")).target == "no AKI"]
    assert sum(case.pattern not in plain for case in negatives) > len(negatives) / 2


@pytest.mark.parametrize("unit", ["mg/dL", "µmol/L"])
def test_every_story_keeps_its_stage_as_written(unit: Unit) -> None:
    from preceptor.tasks.cases.numeric_classification import _readings, _urine

    rng = random.Random(0)
    for _ in range(20):
        assert all(creatinine_stage(_readings(story, unit, rng), unit) == story.stage for story in CREATININE)
        assert all(urine_stage(_urine(story, rng)) == story.stage for story in URINE)


def test_the_same_seed_gives_the_same_cases(cases: list[Example]) -> None:
    assert make_cases("numeric_classification", 3000, 0) == cases
    assert make_cases("numeric_classification", 50, 1) != make_cases("numeric_classification", 50, 2)
