"""Cases that must not be missed: each wording at the edges of its conditions, worked out from the numbers alone."""

from typing import Any

import pytest

from concluded import DPO_WINS, conclude, contrast, dangerous, replaced
from preceptor.evidence import fewest_for_margin


def concluded(of: dict[str, Any] | None, against: str = "sft") -> Any:
    return conclude(replaced(DPO_WINS, contrast("sft+dpo", against, "better", 0.16, dangerous=of)))


@pytest.mark.parametrize("against", ["sft", "sft+sft"])
@pytest.mark.parametrize(
    ("low", "high", "conclusion", "said"),
    [
        (-0.0999, 0.05, "dpo_worth_it", None),
        (-0.0999, -0.01, "dpo_worth_it", None),
        (-0.1, 0.05, "unsettled", "that it misses no more dangerous cases (urgent) than"),
        (-0.1, 0.0, "unsettled", "is not shown: sensitivity 0.80 against 0.85"),
        (-0.12, -0.001, "unsettled", "it misses more dangerous cases (urgent) than"),
        (0.01, 0.2, "dpo_worth_it", None),
    ],
)
def test_no_more_missed_must_be_shown_to_within_the_margin(
    low: float, high: float, conclusion: str, said: str | None, against: str
) -> None:
    found = concluded(dangerous(low, high), against)
    assert found.conclusion == conclusion
    assert found.recommendation == ("pilot silently" if said is None else "do not deploy")
    assert said is None or said in found.sentence
    assert ("is not shown: sensitivity" in found.sentence) == (low <= -0.1 and high >= 0)
    assert ("it misses more" in found.sentence) == (low <= -0.1 and high < 0)


def test_a_count_of_cases_is_no_veto() -> None:
    """Two cases more missed than newly found, and the bound says that no more than the margin is lost."""
    assert concluded(dangerous(-0.08, 0.02, lost=3, gained=1)).conclusion == "dpo_worth_it"


@pytest.mark.parametrize(("margin", "conclusion"), [(0.05, "unsettled"), (0.0801, "dpo_worth_it")])
def test_the_margin_is_the_studys(margin: float, conclusion: str) -> None:
    assert concluded(dangerous(-0.08, 0.02, margin=margin)).conclusion == conclusion


@pytest.mark.parametrize("more", [-1, 0])
def test_too_few_dangerous_cases_are_named_as_the_reason(more: int) -> None:
    patients = fewest_for_margin(0.1) + more
    found = concluded(dangerous(-0.12, 0.05, patients=patients))
    assert found.conclusion == "unsettled"
    assert (f"of {patients} patients with such cases; where arms find the same ones, 25" in found.sentence) == (
        more < 0
    )
    assert "fewer than 5 patients" in concluded(dangerous(-0.5, 0.5, patients=4)).sentence


def test_specificity_stands_beside_sensitivity_so_that_calling_everything_dangerous_is_seen() -> None:
    said = concluded(dangerous(-0.04, 0.1)).sentence
    assert (
        "sensitivity for urgent 0.88 against 0.85, a difference of at least \N{MINUS SIGN}0.04 by its one-sided 95% "
        "bound; specificity 0.70 against 0.90"
    ) in said


@pytest.mark.parametrize(("low", "shown"), [(-0.0999, "0.0999"), (-0.0961, "0.096"), (-0.0949, "0.09")])
def test_the_bound_that_carries_the_claim_is_never_rounded_to_the_margin(low: float, shown: str) -> None:
    assert f"at least \N{MINUS SIGN}{shown} by its one-sided" in concluded(dangerous(low, 0.05)).sentence


def test_without_a_dangerous_case_nothing_is_known_of_them() -> None:
    found = concluded(dangerous(0.0, 0.0, sensitivity=None))
    assert found.conclusion == "unsettled"
    assert "what it makes of dangerous cases (urgent) is not known" in found.sentence
    assert "no held-out case is urgent" in found.sentence


def test_results_of_earlier_versions_hold_counts_alone() -> None:
    """Such an entry is read, and nothing is said to be safe by it."""
    earlier = {"labels": ["urgent"], "lost": 1, "gained": 1}
    assert contrast("sft+dpo", "sft", "better", 0.16, dangerous=earlier).dangerous is not None
    assert concluded(earlier).conclusion == "unsettled"


def test_sft_is_not_worth_it_where_it_misses_more() -> None:
    alone = [contrast("sft", "majority", "better", 0.3)]
    found = {
        low: conclude([contrast("sft", "base", "better", 0.3, dangerous=dangerous(low)), *alone])
        for low in (-0.2, -0.05)
    }
    assert (found[-0.2].conclusion, found[-0.05].conclusion) == ("unsettled", "sft_worth_it")
