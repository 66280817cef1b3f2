"""Patients with visits: what a case holds, and that names generalise where codes cannot."""

import re
from collections import Counter
from hashlib import sha256

import pytest

from preceptor.tasks import Example, load_task, make_cases
from preceptor.tasks.cases._medication_content import AGES, CHRONIC, DRUGS, PROCEDURES, SHUN, WHO
from preceptor.tasks.cases._medication_wording import FIRST
from preceptor.tasks.cases.medication import CODES, DISEASES, prescribed

TASK = load_task("medication")


@pytest.fixture(scope="module")
def cases() -> list[Example]:
    return make_cases("medication", 400, seed=2)


def visits_of(case: Example) -> list[dict[str, list[str]]]:
    """The sets of each visit by their letters, of the codes."""
    lines = case.fields["visits"].splitlines()
    return [{kind: sets.split("; ") for kind, sets in re.findall(r"(\w): (.*?)(?: \||$)", line)} for line in lines]


def test_trap_1_each_visit_is_told_by_its_own_codes_and_no_other_s(cases: list[Example]) -> None:
    """No placeholder is left, and names and codes of a visit say the same."""
    title_of = {code: title for title, code in CODES.items()}
    for case in cases:
        text = TASK.messages(case)[-1]["content"]
        assert not re.search(r"[{}]", text)
        earlier = [] if case.fields["history"] == FIRST else case.fields["history"].splitlines()
        told, visits = [*earlier, case.fields["present"]], visits_of(case)
        assert len(told) == len(visits)
        for line, visit in zip(told, visits, strict=True):
            own = [title_of[code] for code in visit["D"]]
            assert ", ".join(own) in line
            named = {name for name in PROCEDURES if name in line}
            assert len(named) == len(visit.get("P", []))
            assert "M" not in visit or ", ".join(visit["M"]) in line


def test_the_present_visit_is_last_and_tells_no_drug(cases: list[Example]) -> None:
    for case in cases:
        assert "M" not in visits_of(case)[-1]
        assert not any(drug in case.fields["present"] for drug in DRUGS)
        assert TASK.messages(case)[-1]["content"].endswith(
            f"{case.fields['present']}\nWhich drugs should be given now?"
        )


def test_trap_8_so_many_patients_come_for_the_first_time(cases: list[Example]) -> None:
    counts = Counter(len(visits_of(case)) for case in cases)
    assert set(counts) == {1, 2, 3, 4}
    assert counts[1] / len(cases) == pytest.approx(0.3, abs=0.06)
    assert len({case.group for case in cases}) == len(cases)


def test_age_and_sex_go_with_diseases_and_stand_in_no_text(cases: list[Example]) -> None:
    """Cases are what they were before there was a profile: it is drawn by itself."""
    assert WHO.keys() == CHRONIC.keys()
    title_of = {code: title for title, code in CODES.items()}
    disease_of = {name: disease for disease, one in CHRONIC.items() for name in one.names}

    def share(disease: str, column: str, value: str) -> float:
        codes = [(one, [title_of[code] for code in visits_of(one)[-1]["D"]]) for one in cases]
        there = [one for one, titles in codes if any(disease_of.get(_bare(title)) == disease for title in titles)]
        assert len(there) > 30
        return sum(one.metadata[column] == value for one in there) / len(there)

    assert share("depression", "age", AGES[0]) > share("Parkinson's disease", "age", AGES[0]) + 0.1
    assert share("hypothyroidism", "sex", "woman") > share("Parkinson's disease", "sex", "woman") + 0.1
    assert {one.metadata["age"] for one in cases} == {*AGES}
    assert not any(word in text for one in cases for text in one.fields.values() for word in ("woman", *AGES))
    told = "\n".join(text for one in cases for _, text in sorted(one.fields.items()))
    assert sha256(told.encode()).hexdigest()[:16] == "5f0a955769bf667f"


def _bare(title: str) -> str:
    """A diagnosis without its grade."""
    return max((name for one in CHRONIC.values() for name in one.names if title.startswith(name)), key=len, default="")


def test_the_labels_are_the_drugs_and_each_is_given(cases: list[Example]) -> None:
    assert TASK.set_labels == DRUGS
    given = Counter(drug for case in cases for drug in TASK.label_set(case.target) or ())
    assert set(given) == set(DRUGS)
    assert min(given.values()) >= 4


def test_codes_of_held_out_patients_are_often_new_where_words_are_not(cases: list[Example]) -> None:
    """So a reader of names can know what a reader of codes cannot."""
    train, test = ([one for one in cases if one.split == split] for split in ("train", "test"))

    def new(read: str) -> float:
        found = [set(re.findall(read, _diagnoses(case))) for case in test]
        known = {part for case in train for part in re.findall(read, _diagnoses(case))}
        parts = [part for one in found for part in one]
        return sum(part not in known for part in parts) / len(parts)

    assert new(r"D\d+") > 0.1
    assert new(r"[a-z]{4,}") < 0.01


def _diagnoses(case: Example) -> str:
    title_of = {code: title for title, code in CODES.items()}
    return " ".join(f"{code} {title_of[code]}" for code in visits_of(case)[-1]["D"])


@pytest.mark.parametrize("drug", SHUN)
def test_a_drug_is_not_given_beside_what_rules_it_out(drug: str) -> None:
    beside, instead = SHUN[drug]
    diseases = [name for name, one in DISEASES.items() if drug in (*one.first, *one.second)]
    for disease in diseases:
        assert drug in prescribed([disease], [], [])
        there = ([disease, beside], []) if beside in DISEASES else ([disease], [beside])
        given = prescribed(*there, [])
        assert drug not in given
        assert instead in given


def test_a_drug_of_second_line_needs_an_earlier_visit_with_the_disease() -> None:
    assert prescribed(["gout"], [], []) == ("colchicine",)
    assert prescribed(["gout"], [], ["gout"]) == ("allopurinol", "colchicine")
