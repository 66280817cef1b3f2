"""At each edge of what a conclusion needs, no sentence claims more than the numbers of its `results.json` allow.

What they allow is worked out by tests/claims_allowed.py, which follows docs/EVIDENCE.md and calls nothing of the
package. Made results hold numbers as float64, as `results.json` does.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claim_edges import BASE, EDGES, HEAD, HEAD_BESIDE, LONGER, MANY, ONE, ONE_STAGE, OTHERS, SHOTS, views_of
from claim_reading import REASONS, read
from claim_wordings import WORDINGS
from concluded import dangerous
from made_results import ARMS, DELIVERED, RESAMPLED, WORTH_IT, made
from preceptor.evidence import TANGO
from preceptor.study.results.conclusion_schema import ConclusionKind, Recommendation
from preceptor.study.results.contrasts import chosen
from preceptor.study.spec.arms import contrasts_about, resolve

Results = dict[str, Any]
EXAMPLES = 200


@cache
def built(make: Callable[[], Results]) -> Results:
    return make()


def conclusion(results: Results) -> dict[str, Any]:
    found: dict[str, Any] = results["conclusions"][0]
    return found


@pytest.mark.parametrize("name", EDGES)
def test_a_claim_is_made_on_one_side_of_its_edge_alone(name: str) -> None:
    """Inside it is made and allowed; outside it is not made, and the reader would refuse it there."""
    edge = EDGES[name]
    inside, outside = built(edge.inside), built(edge.outside)
    for one in (inside, outside):
        assert read(one).refused == set(), conclusion(one)["sentence"]
    assert edge.claim in read(inside).wordings, conclusion(inside)["sentence"]
    assert edge.claim not in read(outside).wordings, conclusion(outside)["sentence"]
    said = {part: conclusion(inside)[part] for part in ("sentence", "recommendation", "reason")}
    assert edge.claim in read(outside, **said).refused


def test_every_wording_occurs_among_the_edges() -> None:
    """So that none of them is allowed only because no results come to it."""
    every = [built(one) for edge in EDGES.values() for one in (edge.inside, edge.outside)] + [
        built(one) for one in OTHERS
    ]
    said = {name for one in every for name in read(one).wordings}
    assert {*WORDINGS, *(f"reason: {name}" for name in REASONS), *get_args(Recommendation)} <= said
    assert {conclusion(one)["conclusion"] for one in every} == set(get_args(ConclusionKind))
    lacking = " ".join(conclusion(one)["sentence"] for one in every)
    for words in (
        "its control failed", "no control was run", "nobody knows whether DPO was delivered", "DPO was not delivered,",
        "that SFT had settled is not shown", "it cannot be said which would not", "one below 0.0502 would not",
    ):  # fmt: skip
        assert words in lacking


FIGURE = "0.00 macro-F1 [\N{MINUS SIGN}0.02, 0.02] for SFT+DPO against SFT"
TIGHTER = "0.00 macro-F1 [\N{MINUS SIGN}0.02, 0.01] for SFT+DPO against SFT"
SCOPE = "this speaks of the models trained here with 3 seeds, not of the method"
ENOUGH = "SFT is enough, since DPO changes less than matters"
HARM = "DPO adds nothing that matters and may do harm"
BEST = "which did best of the models asked about"
OPEN = {"pairs": {"sft+dpo/sft": {"half": 0.2}}}


@pytest.mark.parametrize(
    ("of", "said", "refused"),
    [
        (OPEN, f"{ENOUGH}; {SCOPE}", "is enough"),
        (OPEN, f"DPO changes less than matters here, which does not make SFT enough; {SCOPE}", "could not have seen"),
        (OPEN, f"DPO does harm; {SCOPE}", "harms"),
        (OPEN, f"DPO is better than SFT, and yet not shown to be worth it; {SCOPE}", "better, not worth it"),
        (OPEN, f"no training adds what matters to the base model; {SCOPE}", "no training adds"),
        ({}, f"DPO is worth it; {SCOPE}", "worth it"),
        ({}, f"the base model is enough; {SCOPE}", "base is enough"),
        ({}, f"TF-IDF is simpler and better than SFT+DPO, {BEST}; {SCOPE}", "simpler and better"),
        ({}, f"SFT had not settled, so whether DPO is worth it cannot be said; {SCOPE}", "had not settled"),
        ({}, f"DPO was not delivered, so whether it is worth it cannot be said; {SCOPE}", "not delivered"),
        ({}, f"SFT is enough, since {HARM}; {SCOPE}", "adds nothing that matters and may do harm"),
        ({}, f"{ENOUGH}: {FIGURE}", "speaks of the method"),
        ({}, f"{ENOUGH}: {FIGURE}; {SCOPE.replace('3', '4')}", "not of the method"),
        ({}, f"{ENOUGH}: {TIGHTER}; {SCOPE}", "figure"),
        ({}, f"about 410 patients would be needed, and there are 120; {SCOPE}", "patients needed"),
    ],
)
def test_a_sentence_that_was_made_stronger_is_refused(of: dict[str, Any], said: str, refused: str) -> None:
    results = made(**of)
    assert read(results).refused == set()
    assert refused in read(results, sentence=f"On triage, {said}.").refused


@pytest.mark.parametrize(
    ("of", "told", "refused"),
    [
        (OPEN, {"recommendation": "pilot silently"}, "pilot silently"),
        ({"seeds": 2}, {"recommendation": "pilot silently"}, "pilot silently"),
        ({}, {"recommendation": "more cases"}, "more cases"),
        ({"synthetic": True}, {"reason": "nothing in this study speaks against it"}, "reason: nothing against"),
    ],
)
def test_advice_that_was_made_stronger_is_refused(of: dict[str, Any], told: dict[str, str], refused: str) -> None:
    results = made(**of)
    assert read(results).refused == set()
    assert refused in read(results, **told).refused


@pytest.mark.parametrize(
    "told",
    [{"sentence": "On triage, DPO is good."}, {"sentence": f"On triage, {FIGURE}: use it."}, {"reason": "it is good"}],
)
def test_a_wording_without_a_rule_is_no_wording(told: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="no rule for"):
        read(made(), **told)


NUMBERS = st.fixed_dictionaries(
    {},
    optional={
        "half": st.sampled_from((0.01, 0.03, 0.0349, 0.0351, 0.1, 0.2)),
        "p": st.sampled_from((0.001, 0.0499, 0.05, 0.3)),
        "differing": st.sampled_from((9, 10)),
        "interval": st.sampled_from((TANGO, RESAMPLED)),
    },
)
CELLS = st.fixed_dictionaries(
    {},
    optional={"invalid_rate": st.sampled_from((0.05, 0.06, 0.5, 0.51)), "confusion": st.sampled_from((MANY, ONE))},
)
"""What is particular of two arms, and of one."""


@st.composite
def studies(draw: st.DrawFn) -> Results:
    """Results that lead to some conclusion, with any numbers changed to either side of an edge."""

    def seldom(usual: Any, *others: Any) -> Any:
        return draw(st.sampled_from((usual,) * 7 + others))

    arms = draw(st.sampled_from((ARMS, ARMS, SHOTS, ONE_STAGE, HEAD, HEAD_BESIDE, ("base", "sft", "sft+dpo"))))
    share, late, shown = (
        draw(st.sampled_from(some)) for some in ((0.1, 0.249, 0.25), ("before", "after"), ("sft", "tfidf"))
    )
    views = {"arms": arms} if seldom(True, False) else views_of("codes", share, known=late, arm=shown)
    of = resolve(views["arms"], {})
    names, values = (
        [*of, "majority"],
        draw(st.sampled_from(({}, WORTH_IT, LONGER, BASE, {"sft+dpo": 0.4}, {"tfidf": 0.7}))),
    )
    few = {"patients": seldom(120, 20, 19), "smallest": seldom(40, 10, 9)}
    changed, at_risk = seldom(0.3, 0.05, 0.049, None), seldom(False, True)
    pairs = {}
    for a, b in chosen(of, contrasts_about(of)):
        risk = {"dangerous": dangerous(seldom(-0.05, -0.0999, -0.1, -0.2), seldom(0.05, -0.001))} if at_risk else {}
        own = {} if b == "majority" else {"answers_changed": changed}
        pairs[f"{a}/{b}"] = few | own | risk | (draw(NUMBERS) if seldom(False, True, True) else {})
    seeds = {arm: seldom(5, 4, 3, 2) for arm in names} if draw(st.booleans()) else {arm: seldom(3, 2) for arm in names}
    return made(
        values | {arm: draw(st.sampled_from((0.3, 0.6, 0.62, 0.64, 0.8))) for arm in names if seldom(False, True)},
        pairs,
        seeds=seeds | {"base": max(seeds.values())},  # chance has no part in what it answers
        failed=[arm for arm in of if seldom(False, False, False, False, False, True)],
        spikes=seldom(("preferences",), (), ("nothing",)),
        delivered=seldom(DELIVERED, DELIVERED | {"eval_pair_accuracy": 0.5}, None),
        cells={arm: draw(CELLS) for arm in names if seldom(False, True)},
        margin=seldom(0.05, None),
        metric=seldom("macro_f1", "brier"),
        looks=seldom(1, 2),
        synthetic=seldom(False, True),
        dangerous=["urgent"] if at_risk else [],
        **views,
    )


@settings(max_examples=EXAMPLES, deadline=None)
@given(studies())
def test_no_numbers_lead_to_a_claim_that_they_do_not_allow(results: Results) -> None:
    assert read(results).refused == set(), conclusion(results)["sentence"]
