"""Letters whose terms share their short forms: what they hold, and that no label stands in them."""

from collections import Counter

import pytest

from preceptor.data import choose_senses, named_answers, read_short_forms, substitute
from preceptor.tasks import Example, load_task, make_cases
from preceptor.tasks.cases._abbreviations_wording import TERMS

TASK = load_task("abbreviations")
FORMS = read_short_forms()
EVERY = [term for terms in TERMS.values() for term in terms]


@pytest.fixture(scope="module")
def cases() -> list[Example]:
    return make_cases("abbreviations", 900, seed=4)


def test_every_term_has_a_short_form_that_a_term_of_another_specialty_has() -> None:
    of_short: dict[str, set[str]] = {}
    for specialty, terms in TERMS.items():
        for term in terms:
            of_short.setdefault(FORMS.short_of[term], set()).add(specialty)
    assert min(map(len, of_short.values())) >= 2
    assert max(Counter(EVERY).values()) == 1
    assert set(TERMS) == set(TASK.labels)


def test_letters_to_learn_from_give_enough_cases_of_every_term(cases: list[Example]) -> None:
    texts = [(one.group, one.fields["letter"]) for one in cases if one.split == "train"]
    senses = choose_senses(substitute(texts, FORMS, 0.5).cases, least=15)
    assert set(senses.names) == set(EVERY)


def test_every_letter_has_terms_of_two_specialties_and_more_of_its_own(cases: list[Example]) -> None:
    of_term = {term: specialty for specialty, terms in TERMS.items() for term in terms}
    for one in cases:
        letter = one.fields["letter"].casefold()
        found = Counter(of_term[term] for term in EVERY if term.casefold() in letter)
        assert sorted(found.values()) == [2, 3]
        assert found.most_common(1)[0][0] == one.target


def test_no_letter_names_a_specialty(cases: list[Example]) -> None:
    assert named_answers(TASK, cases, lambda one: one.fields["letter"]).share == 0


def test_the_specialties_are_about_equally_frequent(cases: list[Example]) -> None:
    counts = Counter(one.target for one in cases if one.split == "train")
    assert min(counts.values()) > 0.7 * counts.total() / len(counts)
