"""Near misses: a gold answer with exactly one clinical fact made wrong.

Preference pairs teach most when the rejected answer is almost right. Here one number or dose, one side, one negation or
one drug name is changed and every other character stays. What follows the answer marker (`Answer:`) is a label and is
never changed here.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["number", "side", "negation", "drug"]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A wrong answer and the kind of fact that was changed in it. Its `repr` shows no text."""

    text: str = field(repr=False)
    kind: Kind


def change_one_fact(text: str, rng: random.Random, *, marker: str = "Answer:") -> NearMiss | None:
    """`text` with exactly one clinical fact changed, and its kind; None when it holds nothing to change.

    The kind is drawn first, so that a text full of numbers still has its one side or negation changed often.
    """
    body = _before_marker(text, marker)
    found = {kind: list(spans) for kind, finder in _FINDERS.items() if (spans := list(finder(body)))}
    if not found:
        return None
    kind = rng.choice(list(found))
    start, end, replacements = rng.choice(found[kind])
    return NearMiss(text[:start] + rng.choice(replacements) + text[end:], kind)


# Where a change can be made: start, end, and what may stand there instead (never what stands there now).
Span = tuple[int, int, list[str]]


def _before_marker(text: str, marker: str) -> str:
    """The text up to the last line that begins with the marker."""
    lines = list(re.finditer(rf"(?im)^\W*{re.escape(marker)}", text)) if marker else []
    return text[: lines[-1].start()] if lines else text


# --- numbers and doses ---

# A number alone or with its unit; not part of a word (B12), a range, a date, a time or a blood pressure.
_UNIT = r"mg|mcg|µg|g|kg|mL|ml|L|mmol|units?|h|hours?|d|days?|weeks?|months?|years?|cm|mm|bpm|C|F"
_NUMBER = re.compile(
    rf"(?<![\w.,:/-])[0-9]{{1,6}}(?:\.[0-9]{{1,4}})?(?![.,:/-]?[0-9])(?=(?:{_UNIT})?(?![\w-])|-(?:{_UNIT})\b)"
)
_TIMES = {"once": "twice", "twice": "once", "three times": "twice", "four times": "twice"}
_FREQUENCY = re.compile(r"\b(?:once|twice|three times|four times)(?= (?:a day|per day|daily|a week|weekly)\b)", re.I)


def _numbers(text: str) -> Iterator[Span]:
    for match in _NUMBER.finditer(text):
        if not _counts_a_list(text, match):
            yield match.start(), match.end(), _other_numbers(match.group())
    yield from _swaps(text, _FREQUENCY, _TIMES)


def _counts_a_list(text: str, match: re.Match[str]) -> bool:
    """Whether the number only counts the items of a list: `1. Cancer. 2. Warfarin stopped`."""
    opens = not text[: match.start()].rstrip(" ") or text[: match.start()].rstrip(" ")[-1] in "\n.;:"
    return opens and text[match.end() : match.end() + 2] in {". ", ") "}


def _other_numbers(number: str) -> list[str]:
    """Wrong values a hurried reader could let pass, with as many decimals as the right one."""
    value, decimals = float(number), len(number.partition(".")[2])
    if decimals:
        others = [value * 2, value / 2, value + 1]
    elif value <= 12 or 1900 <= value <= 2100:  # days, weeks, scores, years: the neighbours
        others = [value + 1, value - 1]
    else:  # doses, ages, results: a wrong step
        others = [value * 2, value / 2, value * 1.5]
    written = [f"{other:.{decimals}f}" for other in others]
    return [other for other in written if float(other) > 0 and float(other) != value]


# --- sides ---

_SIDES = {"left": "right", "right": "left"}
# "Left" is also what a patient did, "right" also means at once or correct: then no side is meant.
_AFTER_NO_SIDE = r"the|a|an|her|his|their|against|at|on|in|for|to|before|after|without|away|now|off|out|over"
_SIDE = re.compile(
    rf"(?<!\ball )(?<!\bwas )(?<!\bhas )(?<!\bhad )(?<!\bpatient )\b(?:left|right)\b(?! (?:{_AFTER_NO_SIDE})\b)", re.I
)


def _sides(text: str) -> Iterator[Span]:
    yield from _swaps(text, _SIDE, _SIDES)


# --- negations ---

_OPPOSITES = {
    "denies": "reports", "reports": "denies", "denied": "reported", "reported": "denied",
    "negative": "positive", "positive": "negative", "absent": "present", "present": "absent",
    "without": "with", "cannot": "can",
}  # fmt: skip
_OPPOSITE = re.compile(rf"\b(?:{'|'.join(_OPPOSITES)})\b", re.I)
_YES_NO = re.compile(r"\b(?:yes|no)\b(?=[,.;\n]|$)", re.I)
# Not "no known allergies" (below), nor words that negate nothing: "no longer than", "not only", "whether or not".
_NO_OR_NOT = re.compile(r"(?<!\bor )\b(?:no|not) (?!(?:known|longer|more|one|later|only)\b)(?=[^\W\d_])", re.I)
_NO_ALLERGY = re.compile(r"\b(?:none known|no known (?:drug )?allergies|NKDA|NKA)\b", re.I)
_ALLERGENS = ["penicillin", "sulfonamides", "latex", "codeine"]
_ASSERTION = re.compile(r"\b(?:is|was|are|were)\b(?= [^\W_])", re.I)


def _negations(text: str) -> Iterator[Span]:
    """Negations turned round; where there is none, a plain statement is negated."""
    spans = [*_swaps(text, _OPPOSITE, _OPPOSITES), *_swaps(text, _YES_NO, {"yes": "no", "no": "yes"})]
    for match in _NO_OR_NOT.finditer(text):
        # "No fever" becomes "Fever": the capital moves to the word that now comes first.
        following = text[match.end()]
        spans.append((match.start(), match.end() + 1, [following.upper() if match.group()[0] == "N" else following]))
    spans.extend((*match.span(), _ALLERGENS) for match in _NO_ALLERGY.finditer(text))
    return iter(spans or [(*match.span(), [f"{match.group()} not"]) for match in _ASSERTION.finditer(text)])


# --- drug names ---

# Drugs of one row are prescribed for the same thing, so that the wrong one is believable.
_CLASSES = (
    "apixaban rivaroxaban edoxaban dabigatran warfarin enoxaparin dalteparin heparin",
    "aspirin clopidogrel ticagrelor prasugrel",
    "bisoprolol metoprolol atenolol carvedilol propranolol",
    "ramipril lisinopril enalapril perindopril losartan candesartan valsartan",
    "amlodipine nifedipine felodipine diltiazem verapamil",
    "furosemide bumetanide torasemide spironolactone eplerenone indapamide",
    "atorvastatin simvastatin rosuvastatin pravastatin",
    "metformin gliclazide sitagliptin empagliflozin dapagliflozin insulin",
    "omeprazole lansoprazole pantoprazole esomeprazole famotidine",
    "paracetamol acetaminophen ibuprofen naproxen diclofenac",
    "codeine tramadol morphine oxycodone",
    "amoxicillin penicillin flucloxacillin co-amoxiclav cefalexin ceftriaxone cephalexin",
    "ciprofloxacin levofloxacin doxycycline clarithromycin azithromycin trimethoprim nitrofurantoin metronidazole",
    "prednisolone prednisone dexamethasone hydrocortisone",
    "salbutamol albuterol ipratropium tiotropium salmeterol",
    "levetiracetam phenytoin carbamazepine lamotrigine valproate",
    "sertraline citalopram fluoxetine mirtazapine amitriptyline venlafaxine",
    "levothyroxine carbimazole propylthiouracil",
    "alendronate risedronate denosumab",
    "digoxin amiodarone flecainide sotalol",
    "ondansetron cyclizine metoclopramide",
    "sulfonamides latex",  # not drugs to take, but what allergies are to
)
_PEERS = {drug: [peer for peer in row.split() if peer != drug] for row in _CLASSES for drug in row.split()}
_DRUG = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(_PEERS, key=len, reverse=True))})(?![\w-])", re.I)


def _drugs(text: str) -> Iterator[Span]:
    named = {match.group().lower() for match in _DRUG.finditer(text)}
    for match in _DRUG.finditer(text):
        name = match.group().lower()
        others = _PEERS.get(name, []) + sorted(named - {name})
        if others:
            yield match.start(), match.end(), [_same_case(match.group(), other) for other in others]


# --- shared ---


def _swaps(text: str, pattern: re.Pattern[str], opposites: dict[str, str]) -> Iterator[Span]:
    for match in pattern.finditer(text):
        if other := opposites.get(match.group().lower()):
            yield match.start(), match.end(), [_same_case(match.group(), other)]


def _same_case(model: str, word: str) -> str:
    if model.isupper() and len(model) > 1:
        return word.upper()
    return word.capitalize() if model[0].isupper() else word


_FINDERS: dict[Kind, Callable[[str], Iterator[Span]]] = {
    "number": _numbers,
    "side": _sides,
    "negation": _negations,
    "drug": _drugs,
}
