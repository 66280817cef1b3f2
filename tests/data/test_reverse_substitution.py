"""Long forms become short forms: which are found, what a case keeps, and what is drawn."""

import re

from hypothesis import given
from hypothesis import strategies as st

from preceptor.data import ShortForms, find_long_forms, substitute

FORMS = ShortForms(
    {
        "heart failure": "HF",
        "congestive heart failure": "CHF",
        "hip fracture": "HF",
        "colony-stimulating factor": "CSF",
        "Crohn's disease": "CD",
        "after": "T3",
        "ß-blocker": "BB",
    }
)
WORDS = st.sampled_from(
    [
        *FORMS.short_of,
        *map(str.upper, FORMS.short_of),
        "congestive",
        "HF",
        "no",
        "evidence",
        "of",
        "Çelik",
        "(",
        "-",
        "\n",
    ]
)
TEXTS = st.lists(WORDS, max_size=14).map(" ".join)


def found(text: str) -> list[tuple[str, str]]:
    return [(text[start:end], long) for start, end, long in find_long_forms(text, FORMS)]


def test_the_longest_is_found_first_from_left_to_right() -> None:
    text = "Congestive heart failure, then heart  failure\nand heart\nfailure"
    assert found(text) == [
        ("Congestive heart failure", "congestive heart failure"),
        ("heart  failure", "heart failure"),
        ("heart\nfailure", "heart failure"),
    ]


def test_whole_words_are_found_and_parts_of_words_are_not() -> None:
    assert found("heart failures, hereafter, sweetheart failure, non-heart failure") == [("heart failure",) * 2]
    assert found("granulocyte colony-stimulating factor; CROHN'S DISEASE") == [
        ("colony-stimulating factor",) * 2,
        ("CROHN'S DISEASE", "Crohn's disease"),
    ]


def test_what_is_on_the_stop_list_stays_and_is_counted() -> None:
    """Trap 11: a table has "abbreviations" of common words, such as T3 for `after`."""
    text = "Heart failure after hip fracture"
    made = substitute([("p", text)], FORMS, 1.0, stop=["after"])
    assert (made.found, made.stopped) == (3, 1)
    assert {one.text for one in made.cases} == {"HF after HF"}
    by_short_form = substitute([("p", text)], FORMS, 1.0, stop=["hf"])
    assert (by_short_form.found, by_short_form.stopped) == (3, 2)
    assert [one.short for one in by_short_form.cases] == ["T3"]


def test_a_sense_that_is_written_out_elsewhere_is_known() -> None:
    """Trap 12."""
    text = "Hip fracture. Heart failure? Congestive heart failure."
    made = [substitute([("p", text)], FORMS, 0.5, seed=seed).cases for seed in range(40)]
    told = {(one.sense, one.text): one.written_out for cases in made for one in cases}
    for (sense, shown), written_out in told.items():
        assert written_out == (sense.casefold() in shown.casefold()), shown
    assert {*told.values()} == {True, False}
    assert told["heart failure", "Hip fracture. HF? Congestive heart failure."]


@given(TEXTS, st.floats(0, 1), st.integers(0, 5))
def test_the_span_is_the_short_form_and_the_text_can_be_put_back(text: str, probability: float, seed: int) -> None:
    cases = substitute([("p", text)], FORMS, probability, seed=seed).cases
    assert all(one.short == FORMS.short_of[one.sense] for one in cases)
    assert len({one.text for one in cases}) <= 1
    back = cases[0].text if cases else text
    for one in reversed(cases):
        back = back[: one.start] + one.sense + back[one.end :]
    assert re.sub(r"\s+", " ", back).casefold() == re.sub(r"\s+", " ", text).casefold()


@given(st.lists(TEXTS, min_size=1, max_size=5), st.integers(0, 5))
def test_what_is_drawn_in_a_text_depends_on_no_other(texts: list[str], seed: int) -> None:
    together = substitute([(str(n), text) for n, text in enumerate(texts)], FORMS, 0.5, seed=seed).cases
    alone = [substitute([(str(n), text)], FORMS, 0.5, seed=seed).cases for n, text in enumerate(texts)]
    assert together == [one for cases in alone for one in cases]


@given(TEXTS)
def test_none_or_all_are_replaced_at_the_ends(text: str) -> None:
    assert substitute([("p", text)], FORMS, 0.0).cases == []
    made = substitute([("p", text)], FORMS, 1.0)
    assert len(made.cases) == made.found == len(found(text))


def test_about_the_probability_is_replaced() -> None:
    texts = [("p", f"Visit {n}: heart failure, hip fracture") for n in range(1000)]
    made = substitute(texts, FORMS, 0.3)
    assert abs(len(made.cases) / made.found - 0.3) < 0.04
