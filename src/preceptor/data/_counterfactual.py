"""Counterfactual texts: the same with the words for one sex in place of those for the other.

Counterfactual data augmentation as Xie & Lukasiewicz (2023, arXiv 2306.04067, section 3.1) use it to debias, with rules
of our own: case is kept, nothing but the listed words changes, and the counterfactual of a counterfactual is the text.
First names stay as they are. The table of words and the stop list were put together for this project; no clinician has
reviewed them.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from preceptor.data._pronouns import object_or_owner
from preceptor.data._sentences import sentences

_TABLE = Path(__file__).parent / "gender_swaps.csv"
_SEX_BOUND = Path(__file__).parent / "sex_bound_terms.txt"
_NEIGHBOURS, _AS_WRITTEN = "neighbours", "as written"
_WORD = re.compile(r"\w+")
_NOBODYS = {"he", "she", "him", "hers", "himself", "herself", "male", "female", "males", "females", "men", "women"}
"""No persons who are somebody's, as a brother is."""
_SHORT_SEX = re.compile(
    r"\b\d{1,3}\s?(?:y|yo|yrs?|years?)?[\s/-]?(?:old\s)?[MF]\b|\b[MF],?\s?\d{1,3}\b"  # 27M, 58 yo F, M 18 y
)


class LeftOut(Enum):
    """Why a text has no counterfactual: it holds no listed word; it holds a term of the clinical stop list, so that a
    swap could make it false (a pregnant man); or it holds a word that two others stand for, and what is meant is open.
    """

    WITHOUT_WORD = "without_word"
    SEX_BOUND = "sex_bound"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class _Swap:
    """What takes a word's place, and when. spelling: the word as the table writes it."""

    spelling: str
    other: str
    when: str


def counterfactual(text: str) -> str | LeftOut:
    """The text with each listed word replaced by its counterpart, or why there is none.

    All else stays to the byte, and `counterfactual` of the result is the text. One sentence that must be left out
    leaves out the text; a sentence without a listed word stays as it is. Where several reasons hold, a term of the stop
    list goes first. A sentence is left out as ambiguous when its swap does not lead back to it (Mrs, which would come
    back as Ms), when `her` or `his` cannot be told from its neighbours, when a listed word stands in capitals among
    others in small letters or in mixed ones (HE may be an encephalopathy), and when a letter names the sex (27M).
    """
    parts = sentences(text)
    gendered = [_names_sex(one) for one in parts]
    if not any(gendered):
        return LeftOut.WITHOUT_WORD
    if any(names and _stop_list().search(one) for one, names in zip(parts, gendered, strict=True)):
        return LeftOut.SEX_BOUND
    swapped = _swapped(parts)
    if swapped is None or _swapped(sentences(swapped)) != text:
        return LeftOut.AMBIGUOUS
    return swapped


def augmented(texts: Iterable[str]) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """The sentences that have a counterfactual, each with it, and how many sentences were read, kept and left out.

    Others are dropped ("partial" augmentation). Sentences are without the white space around them.
    """
    pairs, counts = list[tuple[str, str]](), Counter[str]()
    for text in texts:
        for sentence in filter(None, map(str.strip, sentences(text))):
            found = counterfactual(sentence)
            if isinstance(found, LeftOut):
                counts[found.value] += 1
            else:
                pairs.append((sentence, found))
    left_out = {reason.value: counts[reason.value] for reason in LeftOut}
    return pairs, {"sentences": len(pairs) + sum(left_out.values()), "swapped": len(pairs), **left_out}


def _names_sex(sentence: str) -> bool:
    listed = (_swap_of(word[0], sentence) for word in _WORD.finditer(sentence))
    return any(listed) or _SHORT_SEX.search(sentence) is not None


def _swapped(parts: list[str]) -> str | None:
    """The sentences, swapped and joined; None where a word is ambiguous."""
    done = [_swapped_sentence(one) for one in parts]
    known = [one for one in done if one is not None]
    return "".join(known) if len(known) == len(done) else None


def _swapped_sentence(sentence: str) -> str | None:
    if _SHORT_SEX.search(sentence):
        return None
    written, at = list[str](), 0
    for word in _WORD.finditer(sentence):
        swap = _swap_of(word[0], sentence)
        if swap is None:
            continue
        other = _counterpart(swap, word, sentence)
        if other is None:
            return None
        written += [sentence[at : word.start()], other]
        at = word.end()
    return "".join([*written, sentence[at:]])


def _swap_of(word: str, sentence: str) -> _Swap | None:
    """The entry of a word. A title counts where it is written as one, or all is in capitals: MS is also a disease."""
    swap = _swaps().get(word.lower())
    if swap and swap.when == _AS_WRITTEN and word != swap.spelling and sentence != sentence.upper():
        return None
    return swap


def _counterpart(swap: _Swap, word: re.Match[str], sentence: str) -> str | None:
    """What takes the word's place, in its case; None where that is not known."""
    if swap.when == _AS_WRITTEN:
        return swap.other if word[0] == swap.spelling else None
    before, after = sentence[: word.start()], sentence[word.end() :]
    other: str | None = swap.other
    if swap.when == _NEIGHBOURS:
        inside = re.search(r"\w", before) is not None and word[0].istitle()  # the bundle of His
        other = None if inside else object_or_owner(swap.spelling, before, after, _persons())
    return other and _in_case_of(word[0], other, sentence)


def _in_case_of(word: str, other: str, sentence: str) -> str | None:
    if word == word.lower():
        return other
    if word == word.capitalize():
        return other.capitalize()
    return other.upper() if sentence == sentence.upper() else None


@cache
def _swaps() -> dict[str, _Swap]:
    """Word in lower case -> its swap. Of several rows with a word, the first one is its own; those of her and his are
    told apart by their neighbours.
    """
    found = dict[str, _Swap]()
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for word, other in ((row["male"], row["female"]), (row["female"], row["male"])):
                when = row["when"] if word in ("her", "his") or row["when"] != _NEIGHBOURS else ""
                found.setdefault(word.lower(), _Swap(word, other, when))
    return found


@cache
def _persons() -> frozenset[str]:
    """Words of the table for those who may be somebody's."""
    return frozenset(word for word, swap in _swaps().items() if not swap.when) - _NOBODYS


@cache
def _stop_list() -> re.Pattern[str]:
    """Finds the terms of the clinical stop list: `*` stands for the rest of a word, a space for any white space."""
    terms = _SEX_BOUND.read_text(encoding="utf-8").split("\n")
    patterns = (re.escape(term).replace(r"\*", r"\w*").replace(r"\ ", r"\s+") for term in terms if term)
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)
