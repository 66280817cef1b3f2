"""How a suspected urinary infection is written down: wording families, each heard in one split only."""

import re
from dataclasses import dataclass
from random import Random

from preceptor.tasks.cases._suti import Catheter, Facts, Organism, Symptom

Names = dict[Symptom, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Family:
    """One way of writing. Every tuple holds alternatives; `{...}` is filled from the facts."""

    name: str
    person: tuple[str, ...]
    sexes: tuple[str, str]
    no_catheter: tuple[str, ...]
    in_place: tuple[str, ...]
    out_yesterday: tuple[str, ...]
    out_earlier: tuple[str, ...]
    temperature: tuple[str, ...]
    present: tuple[str, ...]
    denied: tuple[str, ...]
    joins: tuple[str, str]
    symptoms: Names
    culture: tuple[str, ...]
    organism: str
    powers: bool
    same_day: tuple[str, ...]
    later: tuple[str, ...]
    earlier: tuple[str, ...]
    asides: tuple[str, ...]


TELEGRAPHIC = Family(
    name="telegraphic",
    person=("{age}{sex}.", "{sex} {age} y."),
    sexes=("F", "M"),
    no_catheter=("No Foley.", "No IUC this stay."),
    in_place=("Foley day {days}, in situ.", "IUC in, day {days}."),
    out_yesterday=("Foley out yesterday, had it {days} d.", "IUC removed yesterday on day {days}."),
    out_earlier=("Foley out {ago} d ago after {days} d.", "IUC {days} d, removed {ago} d ago."),
    temperature=("Tmax {temperature}.", "T {temperature} C."),
    present=("c/o {symptoms}.", "{symptoms} +."),
    denied=("No {symptoms}.", "Neg: {symptoms}."),
    joins=(", ", ", "),
    symptoms={
        "suprapubic tenderness": ("suprapubic tenderness", "SP tenderness"),
        "flank tenderness": ("CVA tenderness", "flank tenderness"),
        "urgency": ("urgency",),
        "frequency": ("frequency",),
        "dysuria": ("dysuria",),
    },
    culture=("UCx: {organisms}.", "Urine cx grew {organisms}."),
    organism="{name} {count} CFU/mL",
    powers=True,
    same_day=("UCx same day as findings.", "Cx same day."),
    later=("Cx {n} d after findings.", "UCx sent {n} d after findings."),
    earlier=("Cx {n} d before findings.", "UCx sent {n} d before findings."),
    asides=("BP 128/70.", "WBC 11.2.", "On cefazolin POD 2.", "UA nitrite pos.", "Cr 0.9.", "Appetite fair."),
)

NURSING = Family(
    name="nursing",
    person=("{sex} of {age}.", "Patient is a {sex} aged {age}."),
    sexes=("woman", "man"),
    no_catheter=("Has no urinary catheter.", "Never catheterised on this ward."),
    in_place=("Urinary catheter draining well, day {days}.", "Catheter still in, now day {days}."),
    out_yesterday=(
        "Catheter taken out yesterday, it had been in {days} days.",
        "Catheter removed yesterday after {days} days.",
    ),
    out_earlier=(
        "Catheter taken out {ago} days ago, had been in {days} days.",
        "Catheter removed {ago} days ago after {days} days.",
    ),
    temperature=("Highest temperature {temperature} C.", "Temp up to {temperature} C."),
    present=("Complains of {symptoms}.", "Reports {symptoms}."),
    denied=("Denies {symptoms}.", "Says there is no {symptoms}."),
    joins=(" and ", " or "),
    symptoms={
        "suprapubic tenderness": ("tenderness above the pubic bone", "suprapubic tenderness"),
        "flank tenderness": ("flank tenderness", "tenderness over the kidneys"),
        "urgency": ("urgency",),
        "frequency": ("urinary frequency",),
        "dysuria": ("burning when passing urine", "dysuria"),
    },
    culture=("Urine culture grew {organisms}.", "Lab phoned: urine grew {organisms}."),
    organism="{name} {count} CFU/mL",
    powers=False,
    same_day=("Urine was sent the same day.", "Sample sent that day."),
    later=("Urine was sent {n} days after these complaints.", "Sample went {n} days after all this."),
    earlier=("Urine had been sent {n} days before these complaints.", "Sample went {n} days before all this."),
    asides=("Ate half of lunch.", "Walks with a frame.", "Blood pressure 132/78.", "Urine looks cloudy."),
)

FORM = Family(
    name="form",
    person=("Age {age}, sex {sex}.", "Sex {sex}; age {age}."),
    sexes=("female", "male"),
    no_catheter=("Indwelling catheter: none.", "Catheter: never."),
    in_place=("Indwelling catheter: in place, day {days}.", "Catheter: present, day {days}."),
    out_yesterday=(
        "Catheter: {days} days, removed yesterday.",
        "Indwelling catheter: out since yesterday, {days} days in all.",
    ),
    out_earlier=(
        "Catheter: {days} days, removed {ago} days ago.",
        "Indwelling catheter: out for {ago} days, {days} days in all.",
    ),
    temperature=("Max temperature: {temperature} C.", "Temperature: {temperature}."),
    present=("Symptoms present: {symptoms}.", "Yes: {symptoms}."),
    denied=("Symptoms absent: {symptoms}.", "No: {symptoms}."),
    joins=(", ", ", "),
    symptoms={
        "suprapubic tenderness": ("suprapubic tenderness",),
        "flank tenderness": ("costovertebral tenderness", "flank tenderness"),
        "urgency": ("urgency",),
        "frequency": ("frequency",),
        "dysuria": ("dysuria", "burning on urination"),
    },
    culture=("Urine culture: {organisms}.", "Isolates, urine: {organisms}."),
    organism="{name} ({count} CFU/mL)",
    powers=False,
    same_day=("Collected: same day as findings.", "Culture date: same day."),
    later=("Collected: {n} days after findings.", "Culture date: {n} days after findings."),
    earlier=("Collected: {n} days before findings.", "Culture date: {n} days before findings."),
    asides=("Ward: surgery.", "Diabetes: yes.", "Blood culture: negative.", "Leucocytes in urine: many."),
)

LETTER = Family(
    name="letter",
    person=("This {age}-year-old {sex} was reviewed.", "We saw a {sex}, {age} years old."),
    sexes=("lady", "gentleman"),
    no_catheter=("No catheter was placed.", "There was no indwelling catheter."),
    in_place=(
        "A urethral catheter remains in place on day {days}.",
        "It was day {days} of an indwelling catheter, not yet removed.",
    ),
    out_yesterday=("An indwelling catheter of {days} days came out the day before.",),
    out_earlier=("An indwelling catheter of {days} days came out {ago} days before.",),
    temperature=("The temperature peaked at {temperature} C.", "We recorded {temperature} C at most."),
    present=("There was {symptoms}.", "We noted {symptoms}."),
    denied=("There was no {symptoms}.", "We found no {symptoms}."),
    joins=(" and ", " or "),
    symptoms={
        "suprapubic tenderness": ("suprapubic tenderness", "suprapubic pain on palpation"),
        "flank tenderness": ("costovertebral angle tenderness", "loin tenderness"),
        "urgency": ("urinary urgency",),
        "frequency": ("urinary frequency",),
        "dysuria": ("dysuria",),
    },
    culture=("The urine yielded {organisms}.", "Culture of urine showed {organisms}."),
    organism="{name} at {count} CFU/mL",
    powers=True,
    same_day=("It was collected that same day.", "The specimen is of the same date."),
    later=("It was collected {n} days after our findings.",),
    earlier=("It was collected {n} days before our findings.",),
    asides=("The wound is clean.", "The chest was clear.", "Heart rate was 84.", "White cells were 12.1."),
)

HANDOVER = Family(
    name="handover",
    person=("Bed 7, {sex}, {age} yrs.", "{age} yr old {sex}."),
    sexes=("female", "male"),
    no_catheter=("Not catheterised.", "No urinary catheter at any time."),
    in_place=("Catheterised, today is day {days}.", "Foley catheter in place, day {days} today."),
    out_yesterday=("Foley catheter came out yesterday after {days} days.",),
    out_earlier=("Foley catheter came out {ago} days ago after {days} days.",),
    temperature=("Temperature reached {temperature} C.", "Peak temp {temperature} C."),
    present=("Has {symptoms}.", "Positive for {symptoms}."),
    denied=("Does not have {symptoms}.", "Negative for {symptoms}."),
    joins=(" and ", " or "),
    symptoms={
        "suprapubic tenderness": ("suprapubic tenderness", "a tender lower abdomen over the bladder"),
        "flank tenderness": ("CVA tenderness", "flank pain on percussion"),
        "urgency": ("urgency to void",),
        "frequency": ("frequency",),
        "dysuria": ("dysuria", "painful urination"),
    },
    culture=("Urine culture came back with {organisms}.", "Micro result, urine: {organisms}."),
    organism="{name} {count} CFU/mL",
    powers=False,
    same_day=("Urine collected on the same day.",),
    later=("Urine collected {n} days after the ward findings.",),
    earlier=("Urine collected {n} days before the ward findings.",),
    asides=("Eating well.", "Pulse 88.", "Needs help to wash.", "Knee replaced last week.", "Dipstick leucocytes 2+."),
)

CHART = Family(
    name="chart",
    person=("Pt {sex}, {age} years.", "Chart of a {age}-year-old {sex}."),
    sexes=("woman", "man"),
    no_catheter=("Catheter days: 0.", "No indwelling urinary catheter."),
    in_place=("Catheter days: {days}, still in.", "Indwelling urinary catheter, day {days}, not removed."),
    out_yesterday=("Catheter days: {days}, out yesterday.",),
    out_earlier=("Catheter days: {days}, out {ago} days ago.",),
    temperature=("Temp max {temperature} C.", "Maximum {temperature} degrees C."),
    present=("{symptoms} found.", "Documented: {symptoms}."),
    denied=("Not found: {symptoms}.", "Ruled out: {symptoms}."),
    joins=(", ", ", "),
    symptoms={
        "suprapubic tenderness": ("suprapubic tenderness",),
        "flank tenderness": ("costovertebral angle tenderness", "flank tenderness"),
        "urgency": ("urgency",),
        "frequency": ("frequency of urination",),
        "dysuria": ("dysuria", "burning urination"),
    },
    culture=("Urine isolate(s): {organisms}.", "Growth in urine: {organisms}."),
    organism="{name}, {count} CFU/mL",
    powers=True,
    same_day=("Specimen taken the same day.",),
    later=("Specimen taken {n} days after the signs.",),
    earlier=("Specimen taken {n} days before the signs.",),
    asides=("Sodium 139.", "On apixaban.", "Nitrite positive.", "Stool normal.", "Chest film clear.", "Stroke unit."),
)

FAMILIES = (TELEGRAPHIC, HANDOVER, NURSING, FORM, CHART, LETTER)


def sentences(facts: Facts, family: Family, rng: Random) -> tuple[list[str], list[str]]:
    """The facts in words: what stands in the ward's note, and what stands in the laboratory's."""
    ward = [
        _catheter(facts.catheter, family, rng),
        rng.choice(family.temperature).format(temperature=f"{facts.temperature:.1f}"),
        *_symptoms(facts, family, rng),
        rng.choice(family.asides),
    ]
    rng.shuffle(ward)
    lab = [_culture(facts.organisms, family, rng), _timing(facts.culture_after, family, rng)]
    return [_person(facts, family, rng), *ward], lab


def _person(facts: Facts, family: Family, rng: Random) -> str:
    female, male = family.sexes
    text = rng.choice(family.person).format(age=facts.age, sex=female if facts.sex == "female" else male)
    return _capital(text)


def _catheter(catheter: Catheter | None, family: Family, rng: Random) -> str:
    if catheter is None:
        return rng.choice(family.no_catheter)
    by_removal = {0: family.in_place, 1: family.out_yesterday}
    templates = by_removal.get(catheter.removed_days_ago, family.out_earlier)
    return _one_day(rng.choice(templates).format(days=catheter.days, ago=catheter.removed_days_ago))


def _symptoms(facts: Facts, family: Family, rng: Random) -> list[str]:
    said = []
    for templates, symptoms, join in (
        (family.present, facts.present, family.joins[0]),
        (family.denied, facts.denied, family.joins[1]),
    ):
        if symptoms:
            names = [rng.choice(family.symptoms[symptom]) for symptom in sorted(symptoms)]
            rng.shuffle(names)
            said.append(_capital(rng.choice(templates).format(symptoms=join.join(names))))
    return said


def _culture(organisms: tuple[Organism, ...], family: Family, rng: Random) -> str:
    grown = [family.organism.format(name=each.name, count=_count(each.count, family)) for each in organisms]
    return rng.choice(family.culture).format(organisms="; ".join(grown))


def _count(count: int, family: Family) -> str:
    """100000 as `100,000`, or as `10^5` where the family writes powers."""
    if not family.powers:
        return f"{count:,}"
    power = len(str(count)) - 1
    factor = count // 10**power
    return f"10^{power}" if factor == 1 else f"{factor}x10^{power}"


def _timing(days: int, family: Family, rng: Random) -> str:
    templates = family.same_day if days == 0 else family.later if days > 0 else family.earlier
    return _one_day(rng.choice(templates).format(n=abs(days)))


def _one_day(text: str) -> str:
    return re.sub(r"\b1 days", "1 day", text)


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
