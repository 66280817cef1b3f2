"""What evidence comes to."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preceptor.ship._cause import Cause, Evidence, Suspect, likely_cause
from preceptor.ship._replayed import Replayed, common_prefix

LABELS = ["urgent", "routine"]
OTHER = Cause("arm", "another one", "Serve it")
BASE = Cause("adapter", "none is loaded", "Load it")


def asked(measured: list[str], served: list[str], more: list[int] | None = None) -> list[Replayed]:
    counts = more if more is not None else [0] * len(measured)
    both = zip(measured, served, counts, strict=True)
    return [Replayed(f"c{i}", ours, theirs, 40 + i, 40 + i + by) for i, (ours, theirs, by) in enumerate(both)]


def kind(cases: list[Replayed], evidence: Evidence | None = None) -> str | None:
    cause = likely_cause(cases, evidence or Evidence())
    return cause.kind if cause else None


MEASURED = ["urgent", "routine", "routine", "urgent", "routine", "urgent"] * 4
TURNED = [LABELS[one == "urgent"] for one in MEASURED]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(max_size=8), max_size=6))
def test_nothing_is_wrong_where_nothing_differs(texts: list[str]) -> None:
    assert kind(asked(texts, [f" {text}\n" if text.strip() else text for text in texts])) is None
    assert kind(asked(texts, texts), Evidence(gap=0.05)) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text("ab ", max_size=6), st.text("ab ", max_size=6))
def test_two_texts_part_where_they_first_differ(one: str, other: str) -> None:
    case = Replayed("c", one, other, 3)
    a, b = (text.strip() or text for text in (one, other))
    at = common_prefix(one, other)
    assert a[:at] == b[:at]
    assert a[at : at + 1] != b[at : at + 1] or a == b
    assert (case.continues, case.truncated) == (
        a != b and at > 0 and b.startswith(a),
        a != b and at > 0 and a.startswith(b),
    )


def test_prompts_of_another_length_are_another_template_whatever_was_answered() -> None:
    for served in (MEASURED, TURNED):
        cases = asked(MEASURED, served, [1] * len(MEASURED))
        assert kind(cases, Evidence([Suspect(BASE, dict(enumerate(served)))])) == "template"
        assert "each prompt has 1 tokens more" in str(likely_cause(cases, Evidence()))
    uneven = asked(MEASURED, TURNED, [i % 3 - 1 for i in range(len(MEASURED))])
    assert "the tokenizer or the chat template" in str(likely_cause(uneven, Evidence()))


def test_prompts_that_are_short_only_where_they_are_long_were_cut_by_the_server() -> None:
    cut = [min(0, 12 - i) for i in range(len(MEASURED))]
    assert "shortens prompts from 53 tokens on" in str(likely_cause(asked(MEASURED, TURNED, cut), Evidence()))


def test_a_model_whose_answers_are_the_served_ones_is_the_one_that_is_served() -> None:
    cases = asked(MEASURED, ["urgent"] * len(MEASURED))
    near = Suspect(OTHER, dict(enumerate(["urgent"] * 20 + ["routine"] * 4)))
    same = Suspect(BASE, dict.fromkeys(range(len(MEASURED)), "urgent"))
    assert kind(cases, Evidence([near, same])) == "adapter"
    assert kind(cases, Evidence([near])) == "weights"  # as right as the measured one, or less
    assert kind(cases, Evidence([Suspect(OTHER, dict(enumerate(MEASURED)))])) == "weights"


def test_log_probabilities_say_which_model_it_is_where_answers_do_not() -> None:
    alike, twice = (
        Suspect(OTHER, dict(enumerate(MEASURED)), gap=0.3),
        Suspect(BASE, dict(enumerate(MEASURED)), gap=1e-6),
    )
    same = asked(MEASURED, MEASURED)
    assert kind(same, Evidence([alike, twice], gap=0.3)) == "adapter"
    assert kind(same, Evidence([alike, twice], gap=0.05)) == "adapter"
    assert kind(same, Evidence([alike], gap=0.3)) == "weights"
    assert kind(same, Evidence([alike, twice], gap=1e-6)) is None


def test_a_few_differences_between_answers_that_were_nearly_as_likely_are_rounding() -> None:
    served = [*MEASURED[:-2], "routine", "routine"]
    cases = asked(MEASURED, served)
    lucky = Suspect(BASE, dict(enumerate(served)))
    (last,) = [i for i, (a, b) in enumerate(zip(MEASURED, served, strict=True)) if a != b]
    assert kind(cases, Evidence([lucky], margins={last: 0.1})) == "dtype"
    assert kind(cases, Evidence([lucky], margins={last: 4.0})) == "adapter"
    assert kind(cases, Evidence(margins={last: 4.0})) == "weights"
    assert kind(cases, Evidence([lucky], margins={last: 0.1}, gap=0.4)) == "weights"


def test_answers_that_go_on_as_the_model_does_when_nothing_stops_it_lack_the_stop_token() -> None:
    cases = asked(MEASURED, [f"{one}\nuser\n" for one in MEASURED])
    unstopped = {i: (f"{one}\nuser\nurgent", f"{one}<|im_end|>\nuser") for i, one in enumerate(MEASURED)}
    margins = dict.fromkeys(range(len(cases)), 9.0)
    assert kind(cases, Evidence(margins=margins, unstopped=unstopped)) == "stop token"
    otherwise = {i: (f"{one} on", f"{one}<|im_end|>on") for i, one in enumerate(MEASURED)}
    assert kind(cases, Evidence(margins=margins, unstopped=otherwise)) == "weights"
    shown = asked(MEASURED, [f"{one}<|im_end|>\n" for one in MEASURED])
    assert kind(shown, Evidence(margins=margins, unstopped=unstopped)) == "stop token"


def test_beginnings_of_the_answers_were_stopped_too_early() -> None:
    cases = asked(MEASURED, [one[:3] for one in MEASURED])
    assert kind(cases, Evidence(margins=dict.fromkeys(range(len(cases)), 9.0))) == "stop token"
    assert kind(asked(MEASURED, [""] * len(MEASURED))) == "weights"


def test_without_counts_answers_that_differ_at_once_and_everywhere_point_to_the_template() -> None:
    cases = [Replayed(f"c{i}", one, "zz", 40) for i, one in enumerate(MEASURED)]
    assert "does not say how many tokens" in str(likely_cause(cases, Evidence()))
    assert kind(asked(MEASURED, ["zz"] * len(MEASURED))) == "weights"
