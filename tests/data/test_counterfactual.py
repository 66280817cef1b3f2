"""Counterfactual texts: what is swapped, what is left out and why, and that the way back leads to the text.

P2-n names the defects of the paper's published code (Xie & Lukasiewicz 2023) that a test guards against.
"""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import preceptor.data
from preceptor.data import LeftOut, augmented, counterfactual
from preceptor.data._sentences import sentences

TABLE = Path(preceptor.data.__file__).parent / "gender_swaps.csv"
with TABLE.open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))
MALE, FEMALE = ({row[sex].lower() for row in ROWS} for sex in ("male", "female"))
TITLES = {row[sex] for row in ROWS if row["when"] == "as written" for sex in ("male", "female")}
TIMES = Counter(row[sex].lower() for row in ROWS for sex in ("male", "female"))
ONE_TO_ONE = [(row["male"], row["female"]) for row in ROWS if TIMES[row["male"].lower()] == 1 == TIMES[row["female"]]]
WORDS = [
    *(word for row in ROWS for word in (row["male"], row["female"])),
    *("Her", "His", "HER", "MOTHER", "Mother", "hE", "in", "to", "knee", "with", "saw", "sitting", "3", "27M", "MS"),
    *("and", "bundle", "uterus", "Dr.", "p.o.", "été", "38.5", "İ", "ß"),
]
SIGNS = [" ", "  ", ". ", ", ", "'s ", "-", "\n", ' "', ") ", "/", "! ", "\u00a0", "\u2019 "]
TEXTS = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SIGNS)), max_size=9).map(
    lambda parts: "".join(word + sign for word, sign in parts)
)


def swapped(text: str) -> str:
    found = counterfactual(text)
    assert isinstance(found, str), found
    return found


def listed(text: str) -> list[str]:
    """The listed words of a text, case aside, but for titles: MS is a disease as well."""
    words = re.findall(r"\w+", text)
    titles = {word.lower() for word in TITLES}
    return [word.lower() for word in words if word in TITLES or word.lower() in (MALE | FEMALE) - titles]


def test_no_word_is_of_both_sexes_and_the_table_is_long_enough() -> None:
    assert not MALE & FEMALE
    assert 60 <= len(ROWS) <= 110
    assert len({(row["male"], row["female"]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("pair", ONE_TO_ONE)
def test_each_entry_becomes_its_counterpart_and_back(pair: tuple[str, str]) -> None:
    """P2-2: in the paper's code the last pair with a word won, so that girl became guy."""
    for one, other in (pair, pair[::-1]):
        assert swapped(f"a {one} was seen") == f"a {other} was seen"
        assert swapped(f"The {one}'s cough") == f"The {other}'s cough"


@given(TEXTS)
def test_the_counterfactual_of_a_counterfactual_is_the_text(text: str) -> None:
    """P2-2, for whatever is not left out."""
    found = counterfactual(text)
    if isinstance(found, str):
        assert found != text
        assert counterfactual(found) == text


@given(TEXTS)
def test_words_of_each_sex_are_afterwards_as_many_as_those_of_the_other_were(text: str) -> None:
    """P2-3: in the paper's code a capitalised He stayed while his changed."""
    found = counterfactual(text)
    if isinstance(found, str):
        before, after = listed(text), listed(found)
        for sex, other in ((MALE, FEMALE), (FEMALE, MALE)):
            assert sum(word in sex for word in before) == sum(word in other for word in after)


@given(TEXTS)
def test_all_but_the_listed_words_stays_to_the_byte(text: str) -> None:
    """P2-4: the paper's code swaps in decoded tokens."""
    found = counterfactual(text)
    if isinstance(found, str):
        kept = [re.sub(r"\w+", lambda hit: "#" if listed(hit[0]) else hit[0], one) for one in (text, found)]
        assert kept[0] == kept[1]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("he", "she"),
        (
            'He coughs; his wife (a lady) says "he\'s" well.',
            'She coughs; her husband (a gentleman) says "she\'s" well.',
        ),
        ("HE SAW HIS MOTHER.", "SHE SAW HER FATHER."),
        ("His mother-in-law, a nurse, is well.", "Her father-in-law, a nurse, is well."),
        ('"She\'s [a widow]", said the son', '"He\'s [a widower]", said the daughter'),
        ("Mr. Jones was seen. He is 5.", "Ms. Jones was seen. She is 5."),
        ("SOB in the man with MS, MR 2+", "SOB in the woman with MS, MR 2+"),
        ("HER2 positive woman", "HER2 positive man"),
        ("  She\tsleeps.\r\n\nWell.  ", "  He\tsleeps.\r\n\nWell.  "),
    ],
)
def test_case_possessives_quotes_brackets_and_hyphens_are_kept(text: str, other: str) -> None:
    """P2-3."""
    assert (swapped(text), swapped(other)) == (other, text)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("We saw her.", "We saw him."),
        ("We saw her, and left", "We saw him, and left"),
        ("(It hurts her)", "(It hurts him)"),
        ("We asked her to rest", "We asked him to rest"),
        ("We told her when it is", "We told him when it is"),
        ("Her pills are here", "His pills are here"),
        ("It hurts in her back", "It hurts in his back"),
        ("Her back hurts", "His back hurts"),
        ("She rests her knee", "He rests his knee"),
        ("They asked her brother", "They asked his sister"),
        ("By her account", "By his account"),
        ("It is his.", "It is hers."),
        ("It is hers", "It is his"),
    ],
)
def test_her_and_his_are_told_from_their_neighbours(text: str, other: str) -> None:
    assert (swapped(text), swapped(other)) == (other, text)


@pytest.mark.parametrize(
    "text",
    [
        "We found her sitting",
        "We gave her tablets",
        "We saw her 3 days ago",
        "Because of her walking",
        "It was his or her idea",
        "It was her or his idea",
        "Her to be seen",
        "The bundle of His in a man",
        "His bundle",
        "The HER-2 status of this man",
        "HE grade 2 in this man",
        "The MoTher",
        "Mrs Smith was seen",
        "Mr and Mrs Smith",
        "MS SMITH AND HE",
        "Her mum",
        "27M, he has a cough",
        "F 58, she has a cough",
        "his/her",
    ],
)
def test_what_is_open_is_left_out_as_ambiguous(text: str) -> None:
    """P2-2: the paper's code makes every her a his."""
    assert counterfactual(text) is LeftOut.AMBIGUOUS


@pytest.mark.parametrize(
    "text",
    [
        "She is 12 weeks pregnant.",
        "This lady had three Pregnancies",
        "His prostate was smooth",
        "He had testicular pain",
        "Woman with uterine bleeding",
        "Her last menstrual period",
        "The man has erectile dysfunction",
        "Her ovaries",
        "This woman, gravida 3 para 2, coughs",
        "G2P1 woman",
        "She has\ncervical\nscreening",
    ],
)
def test_what_a_swap_could_make_false_is_left_out_by_the_stop_list(text: str) -> None:
    """The clinical caution of P2: a swap must not make a pregnant man."""
    alone = " ".join(text.split())
    assert counterfactual(alone) is LeftOut.SEX_BOUND


def test_the_stop_list_leaves_other_words_alone() -> None:
    for word in ("lactate", "paracetamol", "cervical spine", "parallel", "laboured breathing", "breast lump"):
        assert isinstance(counterfactual(f"He had {word}"), str), word
    assert counterfactual("The prostate is smooth.") is LeftOut.WITHOUT_WORD


def test_one_sentence_leaves_out_its_text_and_one_without_a_word_stays() -> None:
    assert counterfactual("He is well. No cough.") == "She is well. No cough."
    assert counterfactual("He is well. We found her sitting.") is LeftOut.AMBIGUOUS
    assert counterfactual("We found her sitting. He has a big prostate.") is LeftOut.SEX_BOUND
    assert counterfactual("He is well. No prostate trouble.") == "She is well. No prostate trouble."
    assert counterfactual("") is LeftOut.WITHOUT_WORD


def test_sentences_are_kept_with_their_counterfactuals_and_all_else_is_counted() -> None:
    texts = ["He coughs. No fever.\nHis mother is well; she smokes.", "We found her sitting. She is pregnant.", " \n"]
    pairs, counts = augmented(texts)
    assert pairs == [
        ("He coughs.", "She coughs."),
        ("His mother is well; she smokes.", "Her father is well; he smokes."),
    ]
    assert counts == {"sentences": 5, "swapped": 2, "without_word": 1, "sex_bound": 1, "ambiguous": 1}


@given(TEXTS)
def test_every_sentence_is_counted_once(text: str) -> None:
    pairs, counts = augmented([text])
    assert counts["swapped"] == len(pairs)
    assert counts.pop("sentences") == sum(counts.values()) == sum(bool(one.strip()) for one in sentences(text))


@given(st.one_of(TEXTS, st.text(max_size=60)))
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_sentences_end_with_signs_and_lines_but_not_with_abbreviations() -> None:
    text = "Seen by Dr. A. Jones at 5. Takes 2.5 mg p.o. daily, i.e. one! (As before.) Well?\n\nNo fever"
    assert sentences(text) == [
        "Seen by Dr. A. Jones at 5. ",
        "Takes 2.5 mg p.o. daily, i.e. one! ",
        "(As before.) ",
        "Well?\n\n",
        "No fever",
    ]
