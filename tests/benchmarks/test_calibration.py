"""Calibration in small: the drawn studies have the truth they claim, and verdicts keep their promises on them."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks._drawn_studies import World, discordant_pair, scored_pair
from benchmarks._judged_studies import any_false, any_worth_it, drawn, judged
from benchmarks.calibration import (
    WORLDS,
    Row,
    _at_most,
    _table,
    kept_promise,
    measure,
    redrawn,
    sensitivity_kept,
    verdicts,
)

from preceptor.evidence import Judgement, find_metric, value_of


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.what: row for row in rows}


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_a_world_has_the_truth_it_claims(world: World) -> None:
    mean = world.mean(0.7)
    (sample,) = world.draw(40_000, {"sft": mean}, np.random.default_rng(0))["sft"][:1]
    assert world.truth(mean) == pytest.approx(0.7)
    assert value_of(find_metric(world.metric), sample) == pytest.approx(0.7, abs=0.01)
    assert len(sample) / sample.patients == pytest.approx((1 + world.notes) / 2, abs=0.05)
    assert sample.invalid_rate > 0 or world.metric in ("mean_score", "auroc")


def test_arms_that_seldom_differ_do() -> None:
    rng = np.random.default_rng(1)
    differ = {}
    for seldom in (False, True):
        arms = World("accuracy", seldom=seldom).draw(20_000, {"sft": 0.5, "sft+dpo": 0.5}, rng)
        (a,), (b,) = arms["sft"], arms["sft+dpo"]
        differ[seldom] = np.mean((a.predicted == a.gold) != (b.predicted == b.gold))
    assert differ[True] < 0.08 < 0.2 < differ[False]


def test_pairs_differ_as_promised() -> None:
    rng = np.random.default_rng(2)
    a, b = discordant_pair(100_000, 0.2, 0.08, rng)
    right_a, right_b = a.predicted == a.gold, b.predicted == b.gold
    assert np.mean(right_a != right_b) == pytest.approx(0.2, abs=0.01)
    assert right_a.mean() - right_b.mean() == pytest.approx(0.08, abs=0.01)
    a, b = scored_pair(100_000, 0.15, 0.05, rng)
    assert a.scores is not None
    assert b.scores is not None
    assert (np.mean(a.scores - b.scores), np.std(a.scores - b.scores)) == pytest.approx((0.05, 0.15), abs=0.005)


@pytest.mark.parametrize(
    ("world", "patients"),
    [(World("accuracy"), 150), (World("macro_f1", notes=5, share=0.1), 150), (World("mean_score", notes=5), 60)],
    ids=str,
)
def test_false_verdicts_are_rare_and_intervals_hold_the_truth(world: World, patients: int) -> None:
    found = by_name(verdicts(world, patients, 200, seed=0))
    for what in ("alike: any false", "margin apart: equivalent", "margin apart: less than it"):
        assert found[what].holds, (what, found[what].ours)
    for what in ("alike: covered", "margin apart: covered"):
        assert 0.91 <= found[what].ours <= 0.99


@pytest.mark.parametrize(
    "world", [World("mean_score", seeds=3, seed_sd=0.05), World("mean_score", seeds=5, seed_sd=0.05)]
)
def test_claims_of_several_outputs_and_of_more_sft_are_rarely_false(world: World) -> None:
    found = by_name(verdicts(world, 60, 45, seed=0))
    for outputs in (
        "alike, 3 outputs: any false",
        "as more SFT, 3 outputs: any false",
        "as more SFT, 3 outputs: worth it",
    ):
        assert found[outputs].holds, (outputs, found[outputs].ours)
    assert 0.9 < found["width"].ours < 2
    assert (found["width"].unit, found["width"].bound) == ("times the oracle's", None)


def test_studies_in_which_one_of_two_contrasts_is_false_are_told_from_those_in_which_both_are() -> None:
    world = World("mean_score")
    apart, as_more_sft = (drawn(world, 150, 30, 0, 200, gains) for gains in ({"sft+dpo": 0.2}, {"sft": -0.2}))
    assert [round(one.truth, 3) for one in as_more_sft[0]] == [0.2, 0.0]
    said = [judged([output])[0] for output in apart]
    assert all(one.judgement.verdict == "better" and not one.is_false for output in said for one in output)
    assert not any_worth_it(said)
    claims = judged([as_more_sft[0]])
    over_sft, over_more = claims[0]
    assert over_sft.judgement.verdict == "better"
    forced = [[over_sft, replace(over_more, judgement=Judgement("better"))]]
    assert any_worth_it(forced)
    assert any_false(forced)


def test_a_sensitivity_that_is_lower_is_seldom_said_to_be_kept_and_one_that_is_not_more_often() -> None:
    found = by_name(sensitivity_kept(World("accuracy", seeds=3), 150, 100, seed=0))
    assert found["lower by the margin: shown"].holds
    assert found["alike: shown"].ours > found["lower by the margin: shown"].ours


def test_two_processes_draw_what_one_does() -> None:
    one, two = (measure([60], 6, "auroc", processes) for processes in (1, 2))
    assert one == two


def test_a_case_that_missed_is_drawn_anew_from_other_studies_and_more() -> None:
    first = verdicts(WORLDS[0], 60, 20, seed=0)
    missed = [replace(row, holds=False) for row in first if row.what == "alike: any false"]
    again = redrawn(missed, 20)
    assert {row.case for row in again} == {first[0].case}
    assert [row.what for row in again] == [row.what for row in first if row.bound]
    bounds = [by_name(rows)["alike: any false"].bound for rows in (first, again)]
    wider, narrower = (float(str(bound).rstrip("%")) for bound in bounds)
    assert 5 < narrower < wider
    assert redrawn([], 20) == []


def test_studies_with_too_few_of_a_class_give_no_verdict() -> None:
    found = by_name(verdicts(World("macro_f1", share=0.02), 60, 20, seed=0))
    assert list(found) == ["no verdict"]
    assert found["no verdict"].ours == 1.0


@pytest.mark.parametrize("metric", ["accuracy", "mean_score"])
def test_power_is_as_promised(metric: str) -> None:
    (promise,) = kept_promise(metric, 150, 200)
    assert 0.7 <= promise.ours <= 0.9


def test_a_figure_that_misses_is_marked() -> None:
    missed = _at_most("any false", "a case", [True] * 10 + [False] * 90)
    assert missed.holds is False
    assert "10.0%!" in _table([missed])[1]
    assert _at_most("any false", "a case", [True] * 9 + [False] * 91).holds is True
