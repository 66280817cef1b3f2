"""How a suspected pulmonary embolism is written down: wording families, each heard in one split only."""

from dataclasses import dataclass
from random import Random

from preceptor.tasks.cases._years import PER_UNIT, Anticoagulant, Facts, Pregnancy

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One way of writing. Every tuple holds alternatives; `{...}` is filled from the facts."""

    name: str
    person: Words
    sexes: tuple[str, str]
    leg: Words
    no_leg: Words
    blood: Words
    no_blood: Words
    likeliest: Words
    unlikely: Words
    d_dimer: Words
    no_d_dimer: Words
    pressure: Words
    no_drug: Words
    treatment: Words
    prophylaxis: Words
    hours: str
    days: str
    pregnancy: dict[Pregnancy, Words]
    months: Words
    asides: Words


TELEGRAPHIC = Family(
    name="telegraphic",
    person=("{age}{sex}, ?PE.", "{sex} {age} y, sudden SOB."),
    sexes=("F", "M"),
    leg=("{Side} calf swollen, tender.", "{Side} leg: DVT signs +."),
    no_leg=("Legs: no DVT signs.", "Calves soft, not swollen.", "Ankles both puffy x yrs, no DVT signs."),
    blood=("Haemoptysis +.", "Coughed blood x2."),
    no_blood=("No haemoptysis.", "Haemoptysis neg."),
    likeliest=("PE top of ddx.", "Most likely dx: PE."),
    unlikely=("Most likely dx: {other}.", "{Other} > PE on ddx."),
    d_dimer=("D-dimer {value} {unit} FEU.", "Plasma D-dimer {value} {unit} FEU."),
    no_d_dimer=("D-dimer not sent, lab uses {unit} FEU.", "No D-dimer yet ({unit} FEU)."),
    pressure=("BP {systolic}/{diastolic}.", "SBP {systolic}."),
    no_drug=("No anticoag.", "Not anticoagulated."),
    treatment=("{drug} treatment dose, {since}.", "On {drug}, full dose, {since}."),
    prophylaxis=("{drug} prophylactic dose, {since}.", "On {drug}, low dose prophylaxis, {since}."),
    hours="1st dose {n} h ago",
    days="x {n} days",
    pregnancy={
        "pregnant": ("Pregnant {weeks} wk.", "Preg test pos."),
        "not pregnant": ("Preg test neg.", "Not pregnant."),
        "gave birth": ("Gave birth {weeks} wk ago.",),
    },
    months=("Life expectancy {months} mo.",),
    asides=("DVT 2015.", "SpO2 95%.", "HR 104.", "Smoker.", "Flew 9 h last wk.", "ECG sinus.", "CXR clear."),
)

HANDOVER = Family(
    name="handover",
    person=("Bay 3, {sex}, {age} yrs, query PE.", "{age} yr old {sex} with chest pain on breathing in."),
    sexes=("female", "male"),
    leg=("{Side} calf is swollen and sore to press.", "Signs of DVT in the {side} leg."),
    no_leg=("Neither leg shows signs of DVT.", "Legs are normal."),
    blood=("Has had haemoptysis.", "Brought up blood when coughing."),
    no_blood=("Has had no haemoptysis.", "Has not brought up any blood."),
    likeliest=("Team's most likely diagnosis is PE.", "PE is felt to be the likeliest cause."),
    unlikely=("Team's most likely diagnosis is {other}.", "{Other} is felt to be likelier than PE."),
    d_dimer=("D-dimer result {value} {unit} FEU.", "D-dimer back at {value} {unit} FEU."),
    no_d_dimer=("D-dimer still to be taken ({unit} FEU).", "D-dimer ({unit} FEU) has not been done."),
    pressure=("Systolic {systolic}.", "BP {systolic} over {diastolic}."),
    no_drug=("No anticoagulants.",),
    treatment=("Takes {drug} at treatment dose, {since}.",),
    prophylaxis=("Takes {drug} at prophylactic dose, {since}.",),
    hours="first given {n} hours ago",
    days="for {n} days now",
    pregnancy={
        "pregnant": ("She is {weeks} weeks pregnant.", "Pregnancy test came back positive."),
        "not pregnant": ("Pregnancy test came back negative.", "She is not pregnant."),
        "gave birth": ("Delivered a baby {weeks} weeks ago.",),
    },
    months=("Expected to live {months} months.",),
    asides=("Sats 96%.", "Pulse 98.", "Old DVT in 2012.", "Knee surgery last month.", "Lives alone."),
)

NURSING = Family(
    name="nursing",
    person=("{sex} of {age} with shortness of breath.", "Patient is a {sex} aged {age}, sent in for possible PE."),
    sexes=("woman", "man"),
    leg=("The {side} calf is swollen and painful when pressed.", "{Side} leg swollen, warm and tender."),
    no_leg=(
        "Both calves soft, no swelling.",
        "No leg swelling or pain.",
        "Ankles swollen on both sides for years, calves soft.",
    ),
    blood=("Coughed up blood this morning.", "Blood in the sputum today."),
    no_blood=("No blood in the sputum.", "Has not coughed up blood."),
    likeliest=("Doctor thinks PE is the most likely diagnosis.", "PE is thought more likely than anything else."),
    unlikely=("Doctor thinks {other} is more likely than PE.", "{Other} is thought the most likely diagnosis."),
    d_dimer=("D-dimer {value} {unit} FEU.", "Lab phoned: D-dimer {value} {unit} FEU."),
    no_d_dimer=("D-dimer not taken yet ({unit} FEU).", "Blood for D-dimer still to be drawn."),
    pressure=("Blood pressure {systolic}/{diastolic}.",),
    no_drug=("Takes no blood thinner.", "No anticoagulant."),
    treatment=("On {drug} in treatment dose {since}.", "Gets {drug}, therapeutic dose, {since}."),
    prophylaxis=(
        "On {drug} in prophylactic dose {since}.",
        "Gets {drug} to prevent clots, prophylactic dose, {since}.",
    ),
    hours="started {n} hours ago",
    days="for {n} days",
    pregnancy={
        "pregnant": ("She is {weeks} weeks pregnant.", "Pregnancy test positive."),
        "not pregnant": ("Pregnancy test negative.", "She is not pregnant."),
        "gave birth": ("She gave birth {weeks} weeks ago.",),
    },
    months=("Expected to live about {months} months.",),
    asides=("Pulse 102.", "Anxious.", "Had a DVT in 2014.", "Oxygen saturation 96%.", "Walks with a frame."),
)

FORM = Family(
    name="form",
    person=("Age {age}, sex {sex}.", "Sex: {sex}. Age: {age}."),
    sexes=("female", "male"),
    leg=("Signs of DVT: yes, {side} leg.", "DVT signs: present ({side})."),
    no_leg=("Signs of DVT: none.", "DVT signs: absent."),
    blood=("Haemoptysis: yes.", "Haemoptysis: present."),
    no_blood=("Haemoptysis: no.", "Haemoptysis: absent."),
    likeliest=("Most likely diagnosis: PE.", "PE most likely: yes."),
    unlikely=("Most likely diagnosis: {other}.", "PE most likely: no, {other}."),
    d_dimer=("D-dimer: {value} {unit} FEU.", "D-dimer (FEU): {value} {unit}."),
    no_d_dimer=("D-dimer: not done, {unit} FEU.", "D-dimer (FEU, {unit}): no sample."),
    pressure=("Systolic pressure: {systolic}.", "BP: {systolic}/{diastolic}."),
    no_drug=("Anticoagulant: none.",),
    treatment=("Anticoagulant: {drug}, therapeutic dose, {since}.",),
    prophylaxis=("Anticoagulant: {drug}, prophylactic dose, {since}.",),
    hours="started {n} hours ago",
    days="for {n} days",
    pregnancy={
        "pregnant": ("Pregnancy: yes, week {weeks}.", "Pregnancy test: positive."),
        "not pregnant": ("Pregnancy: no.", "Pregnancy test: negative."),
        "gave birth": ("Pregnancy: ended, birth {weeks} weeks ago.",),
    },
    months=("Life expectancy: {months} months.",),
    asides=("Earlier DVT: 2016.", "Heart rate: 96.", "Cancer: none.", "Saturation: 97%.", "Chest film: clear."),
)

CHART = Family(
    name="chart",
    person=("Pt {sex}, {age} years, suspected PE.", "Chart of a {age}-year-old {sex}, acute dyspnoea."),
    sexes=("woman", "man"),
    leg=("Clinical signs of DVT, {side} side.", "{Side} calf swelling with tenderness found."),
    no_leg=("Clinical signs of DVT not found.", "No calf swelling or tenderness found."),
    blood=("Haemoptysis witnessed.", "Documented: blood on coughing."),
    no_blood=("Haemoptysis never occurred.", "Documented: cough without blood."),
    likeliest=("PE considered most likely.", "First diagnosis: PE."),
    unlikely=("{Other} considered most likely.", "First diagnosis: {other}; PE second."),
    d_dimer=("D-dimer level {value} {unit} FEU.", "D-dimer = {value} {unit} (FEU)."),
    no_d_dimer=("D-dimer level ({unit} FEU) not on file.", "D-dimer in {unit} FEU: not measured so far."),
    pressure=("BP {systolic}/{diastolic} mmHg.", "Systolic BP {systolic} mmHg."),
    no_drug=("No anticoagulation.",),
    treatment=("{drug} in therapeutic dose, {since}.",),
    prophylaxis=("{drug} in prophylactic dose, {since}.",),
    hours="begun {n} h before",
    days="given for {n} days",
    pregnancy={
        "pregnant": ("Gestation {weeks} weeks, pregnant.", "hCG positive, pregnant."),
        "not pregnant": ("hCG negative, not pregnant.",),
        "gave birth": ("Birth {weeks} weeks before, no longer pregnant.",),
    },
    months=("Prognosis {months} months to live.",),
    asides=("Past DVT, 2013.", "Troponin normal.", "Pulse 92.", "Uses an inhaler.", "Sodium 138."),
)

LETTER = Family(
    name="letter",
    person=("This {age}-year-old {sex} came with chest pain.", "We saw a {sex}, {age} years old, with dyspnoea."),
    sexes=("lady", "gentleman"),
    leg=("The {side} leg showed signs of deep vein thrombosis.", "There was painful swelling of the {side} calf."),
    no_leg=("There were no signs of deep vein thrombosis.", "Neither calf was swollen or tender."),
    blood=("There had been haemoptysis.", "Blood had been coughed up."),
    no_blood=("There had been no haemoptysis.", "No blood had been coughed up."),
    likeliest=("We judged PE the most likely diagnosis.", "Nothing seemed likelier than PE."),
    unlikely=("We judged {other} more likely than PE.", "{Other} seemed the most likely diagnosis."),
    d_dimer=("The D-dimer was {value} {unit} FEU.",),
    no_d_dimer=("A D-dimer (in {unit} FEU) has not yet been measured.", "No D-dimer ({unit} FEU) was available."),
    pressure=("The systolic pressure was {systolic}.", "Blood pressure was {systolic}/{diastolic}."),
    no_drug=("There was no anticoagulation.", "No anticoagulant is taken."),
    treatment=("A therapeutic dose of {drug} was {since}.",),
    prophylaxis=("A prophylactic dose of {drug} was {since}.",),
    hours="begun {n} hours before",
    days="begun {n} days before",
    pregnancy={
        "pregnant": ("She is pregnant, {weeks} weeks.", "The pregnancy test was positive."),
        "not pregnant": ("The pregnancy test was negative.", "She is not pregnant."),
        "gave birth": ("Her child was born {weeks} weeks ago.",),
    },
    months=("Life expectancy is {months} months.",),
    asides=("A DVT was treated in 2011.", "The pulse was 100.", "The chest was clear.", "Saturation was 95%."),
)

FAMILIES = (TELEGRAPHIC, HANDOVER, NURSING, FORM, CHART, LETTER)

_OTHERS = ("pneumonia", "asthma", "heart failure", "muscle pain", "a panic attack", "pericarditis", "bronchitis")


def sentences(facts: Facts, family: Family, rng: Random) -> tuple[list[str], str]:
    """The facts in words: the person and the ward's findings in any order, and what is said of the D-dimer."""
    ward = [
        _leg(facts, family, rng),
        rng.choice(family.blood if facts.haemoptysis else family.no_blood),
        _likeliest(facts, family, rng),
        rng.choice(family.pressure).format(systolic=facts.systolic, diastolic=round(facts.systolic * 0.6)),
        rng.choice(family.asides),
        *_drug(facts.anticoagulant, family, rng),
        *_pregnancy(facts, family, rng),
        *_months(facts, family, rng),
    ]
    rng.shuffle(ward)
    return [_person(facts, family, rng), *ward], _d_dimer(facts, family, rng)


def _person(facts: Facts, family: Family, rng: Random) -> str:
    female, male = family.sexes
    text = rng.choice(family.person).format(age=facts.age, sex=female if facts.sex == "female" else male)
    return _capital(text)


def _leg(facts: Facts, family: Family, rng: Random) -> str:
    side = rng.choice(("left", "right"))
    return rng.choice(family.leg if facts.leg_signs else family.no_leg).format(side=side, Side=_capital(side))


def _likeliest(facts: Facts, family: Family, rng: Random) -> str:
    other = rng.choice(_OTHERS)
    templates = family.likeliest if facts.embolism_likeliest else family.unlikely
    return rng.choice(templates).format(other=other, Other=_capital(other))


def _d_dimer(facts: Facts, family: Family, rng: Random) -> str:
    if facts.d_dimer is None:
        return rng.choice(family.no_d_dimer).format(unit=facts.unit)
    per_unit = PER_UNIT[facts.unit]
    value = str(facts.d_dimer) if per_unit == 1 else f"{facts.d_dimer / per_unit:.2f}"
    return rng.choice(family.d_dimer).format(value=value, unit=facts.unit)


def _drug(drug: Anticoagulant | None, family: Family, rng: Random) -> list[str]:
    if drug is None:
        return [rng.choice(family.no_drug)]
    since = family.hours.format(n=drug.hours) if drug.hours < 48 else family.days.format(n=drug.hours // 24)
    templates = family.treatment if drug.therapeutic else family.prophylaxis
    return [_capital(rng.choice(templates).format(drug=drug.name, since=since))]


def _pregnancy(facts: Facts, family: Family, rng: Random) -> list[str]:
    if facts.pregnancy is None:
        return []
    return [rng.choice(family.pregnancy[facts.pregnancy]).format(weeks=rng.randint(7, 34))]


def _months(facts: Facts, family: Family, rng: Random) -> list[str]:
    if facts.months_to_live is None:
        return []
    text = rng.choice(family.months).format(months=facts.months_to_live)
    return [text.replace(" 1 months", " 1 month")]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
