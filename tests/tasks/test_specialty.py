"""Letters whose keywords begin with the specialty: what they hold, and what keywords are worth without it."""

from collections import Counter
from statistics import mean

import pytest
from sklearn.metrics import f1_score

from preceptor.data import Splits, named_answers, with_made_fields
from preceptor.study.answers.tfidf import learn_words
from preceptor.tasks import Example, load_task, make_cases
from preceptor.tasks.cases._specialty_content import CONTENT

TASK = load_task("specialty")
FIELDS = {
    "unlabelled": {"without_label": "keywords"},
    "drawn": {"random_words": "note", "as_many_as": "keywords"},
}


@pytest.fixture(scope="module")
def cases() -> Splits:
    made = make_cases("specialty", 900, seed=4)
    parts = ([one for one in made if one.split == split] for split in ("train", "validation", "test"))
    return with_made_fields(FIELDS, TASK, Splits(*parts), "")


@pytest.fixture(scope="module")
def f1(cases: Splits) -> dict[str, float]:
    """What word counts make of each field: macro-F1 on test cases."""
    labels = [one.target for one in cases.train]
    gold = [one.target for one in cases.test]
    fields = ("note", "keywords", "unlabelled", "drawn")
    told = {
        name: learn_words([one.fields[name] for one in cases.train], labels)([one.fields[name] for one in cases.test])
        for name in fields
    }
    return {name: float(f1_score(gold, answers, average="macro")) for name, (answers, _) in told.items()}


def test_every_case_s_first_keyword_is_its_label_and_the_others_stand_in_the_letter(cases: Splits) -> None:
    for one in (*cases.train, *cases.test):
        first, *terms = one.fields["keywords"].split(", ")
        assert first == one.target
        assert len(terms) == 7
        assert all(term.casefold() in one.fields["note"].casefold() for term in terms), one.id


def test_letters_name_their_specialty_in_passing_alone(cases: Splits) -> None:
    """As notes do, by right; keywords name it always."""
    note = named_answers(TASK, cases.train, lambda one: one.fields["note"])
    assert 0.1 < note.share < 0.2
    assert not note.is_much
    assert named_answers(TASK, cases.train, lambda one: one.fields["keywords"]).beyond_chance == 1


def test_the_gain_of_keywords_is_their_label(f1: dict[str, float]) -> None:
    """Trap 1, by construction: with the label they beat the letter, and without it they say what the letter says."""
    assert f1["keywords"] - f1["unlabelled"] > 0.05
    assert f1["keywords"] > 0.95 > f1["note"] > 0.6
    assert abs(f1["unlabelled"] - f1["note"]) < 0.1


def test_as_many_random_words_say_less(f1: dict[str, float]) -> None:
    assert f1["unlabelled"] - f1["drawn"] > 0.15


def test_keywords_are_a_fifth_of_the_letter_at_most(cases: Splits) -> None:
    words = {name: mean(len(one.fields[name].split()) for one in cases.test) for name in ("note", "keywords", "drawn")}
    assert words["keywords"] <= words["note"] / 5
    assert words["drawn"] == words["keywords"]


def test_no_term_is_of_two_specialties_and_none_names_one() -> None:
    terms = [(label, term) for label, one in CONTENT.items() for part in _parts(one) for term in part]
    assert Counter(term for _, term in terms).most_common(1)[0][1] == 1
    named = [Example("1", "1", {"note": term}, label) for label in CONTENT for _, term in terms]
    assert named_answers(TASK, named, lambda one: one.fields["note"]).share == 0


def _parts(content: object) -> list[tuple[str, ...]]:
    return [getattr(content, name) for name in ("problems", "symptoms", "findings", "tests", "treatments")]


def test_the_specialties_are_about_equally_frequent(cases: Splits) -> None:
    counts = Counter(one.target for one in cases.train)
    assert set(counts) == set(TASK.labels)
    assert min(counts.values()) > 0.7 * len(cases.train) / len(counts)
