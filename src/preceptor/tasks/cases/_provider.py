"""What a patient's message tells, and the published rules that say who should see the patient.

Sources, by the table they fill:
`PHARMACY_FIRST`: NHS England, Pharmacy First, the seven clinical pathways: ages, sex, pregnancy and exclusions.
`SUSPECTED_CANCER`: NICE guideline NG12, suspected cancer: recognition and referral; only what it says to refer or
offer, not what it says to consider. Urgent endoscopy for dysphagia (1.2.1) counts as the urgent cancer referral.
`RED_FLAGS`: NHS advice on when to call 999 (heart attack, stroke, sepsis, anaphylaxis, asthma attack), and the
same-day hospital criteria of NICE and of the Pharmacy First pathways.
`PLANNED_CARE`: NHS descriptions of general practice nursing; a new symptom takes it to the general practitioner.
Whatever none of them takes is for the general practitioner.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Provider = Literal["pharmacist", "nurse", "general practitioner", "urgent cancer referral", "emergency"]
Sex = Literal["F", "M"]


@dataclass(frozen=True, slots=True)
class Facts:
    """One patient: age in whole years, and the signs there are beside the problem."""

    problem: str
    age: int
    sex: Sex
    pregnant: bool = False
    signs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pathway:
    """A gateway of Pharmacy First: ages from `youngest` to `oldest`, both included.

    `pregnant_from`: the age from which pregnancy is accepted; None where it never is.
    """

    youngest: int
    oldest: int | None = None
    women_only: bool = False
    pregnant_from: int | None = 16
    excluded: frozenset[str] = frozenset()


PHARMACY_FIRST: Mapping[str, Pathway] = {
    "cystitis": Pathway(
        16,
        64,
        women_only=True,
        pregnant_from=None,
        excluded=frozenset(("third urine infection this year", "catheter", "kidney pain")),
    ),
    "sinusitis": Pathway(12, excluded=frozenset(("weak immune system", "over twelve weeks"))),
    "sore throat": Pathway(5),
    "earache": Pathway(1, 17, excluded=frozenset(("fourth ear infection this year",))),
    "infected bite": Pathway(1),
    "impetigo": Pathway(1, excluded=frozenset(("second impetigo this year", "large blisters"))),
    "shingles": Pathway(18, pregnant_from=None),
}

MOLE_POINTS: Mapping[str, int] = {
    "mole grows": 2,
    "mole uneven": 2,
    "mole colours": 2,
    "mole wide": 1,
    "mole inflamed": 1,
    "mole oozes": 1,
    "mole itches": 1,
}
"""The weighted seven-point checklist (NG12 1.7.1)."""
MOLE_REFERRED_FROM = 3


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A referral rule of NG12: from an age on, with a sign where one is needed, unless a sign explains it."""

    rule: str
    youngest: int = 0
    needs: str = ""
    explained_by: str = ""


SUSPECTED_CANCER: Mapping[str, Suspicion] = {
    "blood in urine": Suspicion("1.6.4 and 1.6.6", 45, explained_by="infection found"),
    "breast lump": Suspicion("1.4.1", 30),
    "nipple change": Suspicion("1.4.1", 50),
    "coughing blood": Suspicion("1.1.1", 40),
    "jaundice": Suspicion("1.2.4", 40),
    "bleeding after menopause": Suspicion("1.5.10", 55),
    "trouble swallowing": Suspicion("1.2.1"),
    "heartburn": Suspicion("1.2.1", 55, needs="weight loss"),
    "mole": Suspicion("1.7.1"),
}

PLANNED_CARE: Mapping[str, str] = {
    "dressing change": "wound hot and oozing",
    "stitches out": "wound gaping",
    "travel vaccines": "on chemotherapy",
    "ear wax": "ear discharge",
    "asthma review": "woken by wheeze",
    "smear": "bleeding after sex",
    "blood pressure check": "reading over 180",
    "B12 injection": "numb feet",
    "diabetes review": "foot sore",
}
"""Each planned task, and the new symptom that takes it to the general practitioner."""

RED_FLAGS: frozenset[str] = frozenset(
    (
        # Sepsis
        "blotchy skin",
        "new confusion",
        "no urine",
        "rash that stays",
        # Airway, breathing, anaphylaxis
        "drooling",
        "fighting for breath",
        "tongue swelling",
        "blue lips",
        # Heart, brain, spine
        "crushing and sweating",
        "spreads to arm",
        "face droop",
        "slurred speech",
        "sudden worst pain",
        "stiff neck",
        "saddle numbness",
        # Complications that hospital sees the same day
        "ear pushed forward",
        "eye swollen shut",
        "rash round eye",
        "vomiting blood",
        "cupfuls of blood",
    )
)


def provider(facts: Facts) -> Provider:
    """Who should see this patient: the first of emergency, cancer referral, pharmacist and nurse that holds."""
    if facts.signs & RED_FLAGS:
        return "emergency"
    if cancer_suspected(facts):
        return "urgent cancer referral"
    if pharmacy_first(facts):
        return "pharmacist"
    if facts.problem in PLANNED_CARE and PLANNED_CARE[facts.problem] not in facts.signs:
        return "nurse"
    return "general practitioner"


def pharmacy_first(facts: Facts) -> bool:
    """Whether the patient passes the gateway of a Pharmacy First pathway."""
    pathway = PHARMACY_FIRST.get(facts.problem)
    if pathway is None:
        return False
    in_age = pathway.youngest <= facts.age and (pathway.oldest is None or facts.age <= pathway.oldest)
    in_sex = facts.sex == "F" or not pathway.women_only
    accepted_from = pathway.pregnant_from
    pregnancy = not facts.pregnant or (accepted_from is not None and facts.age >= accepted_from)
    return in_age and in_sex and pregnancy and not facts.signs & pathway.excluded


def cancer_suspected(facts: Facts) -> bool:
    """Whether NG12 says to refer, or to offer an urgent test, for this problem at this age."""
    suspicion = SUSPECTED_CANCER.get(facts.problem)
    if suspicion is None or facts.age < suspicion.youngest or suspicion.explained_by in facts.signs:
        return False
    if facts.problem == "mole":
        return sum(MOLE_POINTS.get(sign, 0) for sign in facts.signs) >= MOLE_REFERRED_FROM
    return not suspicion.needs or suspicion.needs in facts.signs
