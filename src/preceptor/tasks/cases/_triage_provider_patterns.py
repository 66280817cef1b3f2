"""Which patients are drawn: every rule of `_provider` met, met just so, and missed by one criterion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from preceptor.tasks.cases._provider import (
    MOLE_POINTS,
    PHARMACY_FIRST,
    PLANNED_CARE,
    SUSPECTED_CANCER,
    Facts,
    Provider,
    Sex,
    provider,
)

BOTH: tuple[Sex, ...] = ("F", "M")
WOMEN: tuple[Sex, ...] = ("F",)
MEN: tuple[Sex, ...] = ("M",)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Patients who are alike in all that decides; `ages` are the youngest and the oldest, in years."""

    problem: str
    variant: str
    ages: tuple[int, int]
    sexes: tuple[Sex, ...] = BOTH
    pregnant: bool = False
    signs: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What tells the pattern from every other."""
        return f"{self.problem}/{self.variant}"


OTHER_PROBLEMS: Mapping[str, tuple[int, int]] = {
    "chest ache": (20, 80),
    "headache": (18, 75),
    "back pain": (20, 80),
    "numb hand": (25, 80),
    "hives": (18, 70),
    "tiredness": (20, 75),
    "low mood": (18, 80),
    "knee pain": (30, 80),
    "heavy periods": (18, 48),
}
"""Problems for the general practitioner, with their ages; the first five have red flags of their own."""

EMERGENCIES: Mapping[str, tuple[str, ...]] = {
    "cystitis": ("new confusion", "blotchy skin"),
    "sinusitis": ("eye swollen shut", "stiff neck"),
    "sore throat": ("drooling", "fighting for breath", "rash that stays"),
    "earache": ("ear pushed forward", "no urine", "rash that stays"),
    "infected bite": ("tongue swelling", "blotchy skin", "new confusion"),
    "impetigo": ("blotchy skin", "no urine"),
    "shingles": ("rash round eye", "new confusion"),
    "blood in urine": ("no urine", "blotchy skin"),
    "coughing blood": ("cupfuls of blood", "fighting for breath"),
    "jaundice": ("new confusion", "vomiting blood"),
    "trouble swallowing": ("drooling", "vomiting blood"),
    "heartburn": ("vomiting blood", "crushing and sweating"),
    "dressing change": ("blotchy skin", "new confusion"),
    "asthma review": ("fighting for breath", "blue lips"),
    "blood pressure check": ("face droop", "slurred speech"),
    "chest ache": ("crushing and sweating", "spreads to arm", "blue lips"),
    "headache": ("sudden worst pain", "stiff neck", "slurred speech"),
    "back pain": ("saddle numbness", "no urine"),
    "numb hand": ("face droop", "slurred speech"),
    "hives": ("tongue swelling", "fighting for breath"),
}
"""The red flags that may come with a problem."""

_MOLES = (("mole grows", "mole uneven"), ("mole colours", "mole oozes"), ("mole uneven", "mole itches"))
_HARMLESS_MOLES = (("mole grows",), ("mole itches", "mole wide"), ("mole colours",))
_WOMEN_ONLY = frozenset(("breast lump", "nipple change", "bleeding after menopause", "smear", "heavy periods"))


def all_patterns() -> list[Pattern]:
    """Every pattern, those of one problem together."""
    return [
        *_pharmacy_first(),
        *_suspected_cancer(),
        *_planned_care(),
        *_other_problems(),
        *_emergencies(),
    ]


def by_provider() -> dict[Provider, list[Pattern]]:
    """The patterns of each answer, in the order of `all_patterns`."""
    sorted_out: dict[Provider, list[Pattern]] = {}
    for pattern in all_patterns():
        sorted_out.setdefault(answer(pattern), []).append(pattern)
    return sorted_out


def answer(pattern: Pattern) -> Provider:
    """What the rule says for the patients of a pattern."""
    return provider(Facts(pattern.problem, pattern.ages[0], pattern.sexes[0], pattern.pregnant, pattern.signs))


def signs_of(problem: str) -> tuple[str, ...]:
    """The signs that may come with a problem, and so may be denied where there is none."""
    if problem == "mole":
        return tuple(MOLE_POINTS)
    excluded = sorted(PHARMACY_FIRST[problem].excluded) if problem in PHARMACY_FIRST else []
    suspicion = SUSPECTED_CANCER.get(problem)
    decisive = [suspicion.needs, suspicion.explained_by] if suspicion else [PLANNED_CARE.get(problem, "")]
    return tuple(sign for sign in (*excluded, *decisive, *EMERGENCIES.get(problem, ())) if sign)


def usual_ages(problem: str) -> tuple[int, int]:
    """Ages at which the problem is drawn when age decides nothing."""
    if problem in PHARMACY_FIRST:
        pathway = PHARMACY_FIRST[problem]
        return pathway.youngest + 2, (pathway.oldest - 2 if pathway.oldest else 78)
    if problem in SUSPECTED_CANCER:
        return max(30, SUSPECTED_CANCER[problem].youngest + 5), 82
    if problem in PLANNED_CARE:
        return (25, 64) if problem == "smear" else (20, 82)
    return OTHER_PROBLEMS[problem]


def _sexes(problem: str) -> tuple[Sex, ...]:
    women_only = problem in PHARMACY_FIRST and PHARMACY_FIRST[problem].women_only
    return WOMEN if women_only or problem in _WOMEN_ONLY else BOTH


def _pharmacy_first() -> Iterator[Pattern]:
    for problem, pathway in PHARMACY_FIRST.items():
        sexes, ages, youngest = _sexes(problem), usual_ages(problem), pathway.youngest
        middle = sum(ages) // 2
        yield Pattern(problem, "younger", (ages[0], middle), sexes)
        yield Pattern(problem, "youngest age", (youngest, youngest), sexes)
        yield Pattern(problem, "older", (middle + 1, ages[1]), sexes)
        yield Pattern(problem, "a year too young", (youngest - 1, youngest - 1), sexes)
        if pathway.oldest:
            yield Pattern(problem, "oldest age", (pathway.oldest, pathway.oldest), sexes)
            yield Pattern(problem, "a year too old", (pathway.oldest + 1, pathway.oldest + 1), sexes)
            yield Pattern(problem, "too old", (pathway.oldest + 2, pathway.oldest + 12), sexes)
        if pathway.women_only:
            yield Pattern(problem, "man", ages, MEN)
        if problem != "earache":
            yield Pattern(problem, "pregnant", (20, 38), WOMEN, pregnant=True)
        for sign in sorted(pathway.excluded):
            yield Pattern(problem, sign, ages, sexes, signs=frozenset((sign,)))


def _suspected_cancer() -> Iterator[Pattern]:
    for problem, suspicion in SUSPECTED_CANCER.items():
        if problem == "mole":
            continue
        sexes, age = _sexes(problem), suspicion.youngest
        needed = frozenset((suspicion.needs,)) if suspicion.needs else frozenset()
        if not age:
            yield Pattern(problem, "middle-aged", (35, 59), sexes)
            yield Pattern(problem, "old", (60, 85), sexes)
            continue
        yield Pattern(problem, "well over the age", (age + 4, age + 15), sexes, signs=needed)
        yield Pattern(problem, "at the age", (age, age), sexes, signs=needed)
        yield Pattern(problem, "just over the age", (age + 1, age + 3), sexes, signs=needed)
        yield Pattern(problem, "far over the age", (age + 16, age + 32), sexes, signs=needed)
        yield Pattern(problem, "a year under the age", (age - 1, age - 1), sexes, signs=needed)
        yield Pattern(problem, "well under the age", (age - 12, age - 2), sexes, signs=needed)
        if suspicion.explained_by:
            yield Pattern(problem, "explained", (age, 80), sexes, signs=frozenset((suspicion.explained_by,)))
        if needed:
            yield Pattern(problem, "sign missing", (age, 80), sexes)
    for signs in (*_MOLES, *_HARMLESS_MOLES):
        yield Pattern("mole", " and ".join(signs), (25, 75), signs=frozenset(signs))


def _planned_care() -> Iterator[Pattern]:
    for problem, symptom in PLANNED_CARE.items():
        low, high = usual_ages(problem)
        middle = (low + high) // 2
        sexes = _sexes(problem)
        yield Pattern(problem, "younger", (low, middle), sexes)
        yield Pattern(problem, "older", (middle + 1, high), sexes)
        yield Pattern(problem, symptom, (low, high), sexes, signs=frozenset((symptom,)))


def _other_problems() -> Iterator[Pattern]:
    for problem, (low, high) in OTHER_PROBLEMS.items():
        middle = (low + high) // 2
        yield Pattern(problem, "younger", (low, middle), _sexes(problem))
        yield Pattern(problem, "older", (middle + 1, high), _sexes(problem))


def _emergencies() -> Iterator[Pattern]:
    for problem, flags in EMERGENCIES.items():
        for flag in flags:
            yield Pattern(problem, flag, usual_ages(problem), _sexes(problem), signs=frozenset((flag,)))
