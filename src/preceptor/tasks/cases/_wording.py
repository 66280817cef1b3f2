"""What the generators of built-in cases share. A generator is one file:

    def draw(rng: random.Random, side: Side) -> Case:
        pattern = rng.choice(on_side(PATTERNS, side))        # what is true of the patient
        wording = rng.choice(on_side(WORDINGS, side))        # how it is said
        facts = ...                                          # structured facts of this pattern
        text = typing_errors(abbreviate(wording.tell(facts), rng), rng, keep=("trimethoprim",))
        return Case(pattern.name, wording.name, {"note": text}, gold(facts), person="F64")

    def generate(count: int, seed: int) -> list[Example]:
        return assemble("triage_provider", draw, count, seed)

`side` is "train" (train and validation cases) or "test". A fact pattern and a wording family belong to one side;
`on_side` deals a list out (the 2nd, 5th, 8th ... item to test, the rest to train) and `assemble` refuses a pattern or
wording that was drawn on both sides. Deal out each label's patterns on their own, so that no label misses a side.
Gold is computed from the structured facts by a pure function; the text is made from the same facts.
"""

import random
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from preceptor.errors import InputError, Problem
from preceptor.tasks._example import Example, Split

Side = Literal["train", "test"]
NoteKind = Literal["nurse", "doctor", "lab", "history", "pharmacist", "observations"]
T = TypeVar("T")

_TRIES = 200


@dataclass(frozen=True, slots=True)
class Case:
    """One drawn case: the names of its fact pattern and wording family, its fields and its gold answer.

    `person` is what two cases must share to be of one patient, such as "F64"; empty when the text tells no person.
    """

    pattern: str
    wording: str
    fields: Mapping[str, str] = field(repr=False)
    target: str = field(repr=False)
    person: str = ""


Draw = Callable[[random.Random, Side], Case]


def on_side(items: Sequence[T], side: Side) -> Sequence[T]:
    """The items of one side: every third, from the second, is for test. Needs at least two items."""
    if len(items) < 2:
        raise ValueError("one item cannot be dealt out to two sides")
    return items[1::3] if side == "test" else [item for index, item in enumerate(items) if index % 3 != 1]


def assemble(task: str, draw: Draw, count: int, seed: int) -> list[Example]:
    """`count` distinct examples: 65% train, 10% validation, 25% test, in random order, 1 or 2 cases a patient.

    Distinct means that no two have the same text, case and space aside. Raises InputError when `draw` runs out
    of distinct cases, RuntimeError when it uses a pattern or a wording on both sides.
    """
    rng = random.Random(f"{task}:{seed}")
    seen: set[str] = set()
    dealt: list[tuple[Case, Split, str]] = []
    for split, size in _sizes(count).items():
        cases = [_fresh(task, draw, rng, "test" if split == "test" else "train", seen) for _ in range(size)]
        for case, patient in zip(cases, _patients(cases, rng), strict=True):
            dealt.append((case, split, f"{task}-{split}-p{patient:05d}"))
    _refuse_shared(task, dealt)
    rng.shuffle(dealt)
    return [
        Example(f"{task}-{number:06d}", group, dict(case.fields), case.target, split)
        for number, (case, split, group) in enumerate(dealt)
    ]


def _sizes(count: int) -> dict[Split, int]:
    train, validation = round(0.65 * count), round(0.10 * count)
    return {"train": train, "validation": validation, "test": count - train - validation}


def _fresh(task: str, draw: Draw, rng: random.Random, side: Side, seen: set[str]) -> Case:
    for _ in range(_TRIES):
        case = draw(rng, side)
        text = " ".join("\n".join(case.fields.values()).casefold().split())
        if text not in seen:
            seen.add(text)
            return case
    what = f"there are not so many different {side} cases: {_TRIES} draws in a row gave none that is new"
    raise InputError(Problem(f"built-in cases of {task}", what, "Lower `cases`"))


def _patients(cases: Sequence[Case], rng: random.Random) -> list[int]:
    """A patient's number for each case; about a third of the patients have two cases, of the same person."""
    waiting: dict[str, int] = {}
    numbers: list[int] = []
    newest = -1
    for case in cases:
        if case.person in waiting:
            numbers.append(waiting.pop(case.person))
            continue
        newest += 1
        numbers.append(newest)
        if rng.random() < 0.35:
            waiting[case.person] = newest
    return numbers


def _refuse_shared(task: str, dealt: Sequence[tuple[Case, Split, str]]) -> None:
    for what in ("pattern", "wording"):
        names = {
            side: {getattr(case, what) for case, split, _ in dealt if (split == "test") == (side == "test")}
            for side in ("train", "test")
        }
        if shared := names["train"] & names["test"]:
            raise RuntimeError(f"{task}: {what} on both sides: {', '.join(sorted(shared))}")


# Notes: several a patient, in any order.

_HEADINGS: dict[NoteKind, dict[Side, tuple[str, ...]]] = {
    "nurse": {"train": ("Nursing note", "RN note", "Nursing"), "test": ("Nurse entry", "Ward nurse")},
    "doctor": {"train": ("Physician note", "MD note", "Dr"), "test": ("Medical entry", "Doctor's round")},
    "lab": {"train": ("Lab", "Laboratory"), "test": ("Results", "Path lab")},
    "history": {"train": ("History", "PMH"), "test": ("Background", "Known")},
    "pharmacist": {"train": ("Pharmacy", "Pharmacist note"), "test": ("Medicines review", "Ward pharmacist")},
    "observations": {"train": ("Obs", "Vitals"), "test": ("Vital signs", "Charted")},
}


def join_notes(notes: Sequence[tuple[NoteKind, str]], rng: random.Random, side: Side, *, ordered: bool = False) -> str:
    """The notes of one patient, one a line with a heading, in random order unless `ordered`; empty ones left out."""
    lines = [f"{rng.choice(_HEADINGS[kind][side])}: {text.strip()}" for kind, text in notes if text.strip()]
    if not ordered:
        rng.shuffle(lines)
    return "\n".join(lines)


# Abbreviations and typing errors: they change how a fact is written, never the fact.

_ABBREVIATIONS = {
    "year-old": ("yo", "y/o"),
    "history of": ("h/o", "hx of"),
    "patient": ("pt",),
    "complains of": ("c/o",),
    "shortness of breath": ("SOB",),
    "blood pressure": ("BP",),
    "heart rate": ("HR",),
    "respiratory rate": ("RR",),
    "temperature": ("temp", "T"),
    "oxygen saturation": ("SpO2", "sats"),
    "admitted": ("adm",),
    "discharge": ("d/c",),
    "diagnosis": ("dx", "Dx"),
    "treatment": ("tx", "Rx"),
    "symptoms": ("sx",),
    "hypertension": ("HTN",),
    "type 2 diabetes": ("T2DM",),
    "atrial fibrillation": ("AF",),
    "chronic kidney disease": ("CKD",),
    "heart failure": ("HF",),
    "coronary artery disease": ("CAD",),
    "creatinine": ("creat", "Cr"),
    "urine output": ("UO", "UOP"),
    "white cell count": ("WCC",),
    "abdominal": ("abdo",),
    "emergency department": ("ED",),
    "without": ("w/o",),
    "follow-up": ("f/u",),
    "week": ("wk",),
    "weeks": ("wks",),
    "hours": ("h", "hrs"),
    "days": ("d",),
}
_PHRASES = re.compile(
    r"(?<![\w-])(?:" + "|".join(sorted(map(re.escape, _ABBREVIATIONS), key=len, reverse=True)) + r")(?![\w-])",
    re.IGNORECASE,
)

# Words that carry a fact whichever the task: a typing error never touches them, nor anything with a digit.
_KEPT = frozenset(
    re.findall(
        r"\w+",
        """no not never none nil nor neither without denies denied deny negative absent afebrile free stopped
    left right male female woman pregnant unable cannot
    minute minutes hour hours week weeks month months year years degrees celsius litre litres units grams
    milligrams micrograms micromol mmol umol twice daily
    three seven eight twelve eleven fifteen twenty thirty forty fifty hundred thousand
    first second third fourth fifth""",
    )
)


def abbreviate(text: str, rng: random.Random, rate: float = 0.4, keep: Collection[str] = ()) -> str:
    """`text` with about `rate` of its common clinical phrases abbreviated, those in `keep` spared."""

    def shorten(hit: re.Match[str]) -> str:
        phrase = hit[0].lower()
        return hit[0] if phrase in keep or rng.random() >= rate else rng.choice(_ABBREVIATIONS[phrase])

    return _PHRASES.sub(shorten, text)


def typing_errors(text: str, rng: random.Random, rate: float = 0.02, keep: Collection[str] = ()) -> str:
    """`text` with about `rate` of its longer words mistyped: two letters swapped, one lost, or one doubled.

    Numbers, units, negations, headings, capitalised words and the words of `keep` (write them in lower case:
    drugs, organisms, whatever the gold hangs on) stay whole.
    """

    def mistype(hit: re.Match[str]) -> str:
        word = hit[0]
        if word in _KEPT or word in keep or rng.random() >= rate:
            return word
        at = rng.randrange(1, len(word) - 1)
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return rng.choice((swapped, word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:]))

    return re.sub(r"(?<![\w'/-])[a-z]{5,}(?![\w'/-])", mistype, text)
