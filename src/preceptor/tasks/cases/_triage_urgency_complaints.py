"""What patients come to the emergency department with, and what fits with each complaint."""

from dataclasses import dataclass

from preceptor.tasks.cases._esi import Resource

TODDLER, SCHOOL, ADULT = 24, 6 * 12, 16 * 12
"""Months."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why the patient came, and what fits with it.

    `risks`: what makes it a high-risk situation, and the same thing ruled out. `kinds`: the resources that may be
    expected. `parts`: what an X-ray may show. `youngest`: months; from there on children come with it too.
    """

    name: str
    stories: tuple[str, ...]
    risks: tuple[tuple[str, str], ...]
    kinds: tuple[Resource, ...]
    parts: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    procedure: str = ""
    youngest: int = ADULT
    limb: bool = False


LABS: Resource = "labs"
ECG: Resource = "ECG"
XRAY: Resource = "X-ray"
SCAN: Resource = "scan"
FLUIDS: Resource = "fluids"
DRUG: Resource = "drug"
CONSULT: Resource = "consult"
PROCEDURE: Resource = "procedure"

# The 2nd, 5th, 8th ... complaint is for test (see `_wording.on_side`).
COMPLAINTS = (
    Complaint(
        "ankle injury",
        ("twisted the ankle on the stairs", "rolled an ankle at football", "ankle swollen after a misstep"),
        (
            ("foot cold, no pulse below the ankle", "foot warm, good pulses"),
            ("suspected compartment syndrome, calf hard and numb", "calf soft, feeling normal"),
        ),
        (XRAY, DRUG, CONSULT),
        parts=("ankle", "foot"),
        youngest=SCHOOL,
        limb=True,
    ),
    Complaint(
        "wrist injury",
        ("landed on the wrist coming off a bike", "wrist sore after a tumble", "bent the wrist back in a fall"),
        (
            ("hand white and pulseless, artery possibly cut off", "hand pink with normal pulse"),
            ("suspected compartment syndrome, forearm tense", "forearm soft"),
        ),
        (XRAY, DRUG, CONSULT),
        parts=("wrist", "hand"),
        youngest=SCHOOL,
        limb=True,
    ),
    Complaint(
        "belly pain",
        ("belly pain since last night", "cramping in the lower belly", "stomach ache on and off all day"),
        (
            ("pale, suspected leaking aneurysm", "no pulsating swelling, belly soft"),
            ("rigid belly, suspected perforation", "no rigidity, walks upright"),
        ),
        (LABS, SCAN, FLUIDS, DRUG, CONSULT),
    ),
    Complaint(
        "headache",
        ("headache since yesterday", "throbbing head for two days", "head pain behind both eyes"),
        (
            ("worst headache ever within seconds, suspected brain bleed", "came on slowly, not sudden"),
            ("stiff neck, suspected meningitis", "no stiff neck or rash"),
        ),
        (LABS, SCAN, DRUG, FLUIDS),
    ),
    Complaint(
        "vomiting",
        ("being sick since the small hours", "vomiting and loose stools after a meal out", "cannot keep food down"),
        (
            ("mottled skin, sepsis likely", "skin normal, nothing to suggest sepsis"),
            ("empty pill packets found, likely overdose", "took no pills"),
        ),
        (LABS, SCAN, FLUIDS, DRUG),
        youngest=TODDLER,
    ),
    Complaint(
        "cough",
        ("cough and cold for a week", "chesty cough with green phlegm", "coughing, blocked nose, tired"),
        (
            ("suspected inhaled object, chest lopsided", "nothing inhaled, chest even"),
            ("on chemotherapy with fever, suspected low white cells", "not on chemotherapy"),
        ),
        (LABS, XRAY, DRUG, ECG),
        parts=("chest",),
        drugs=("nebuliser", "IV antibiotics"),
        youngest=TODDLER,
    ),
    Complaint(
        "chest discomfort",
        ("discomfort in the chest since lunch", "chest feels sore after lifting boxes", "on-off chest ache for days"),
        (
            ("heavy pressure with sweating, suspected heart attack", "no pressure or sweating, sore only to touch"),
            ("tearing through to the back, suspected dissection", "nothing through to the back"),
        ),
        (ECG, LABS, XRAY, DRUG, SCAN),
        parts=("chest",),
    ),
    Complaint(
        "dizziness",
        ("dizzy spells since getting up", "light-headed at work", "heart fluttering, feels giddy"),
        (
            ("face droop and weak arm, likely stroke", "face even, arms equally strong"),
            ("passed out during exercise, dangerous rhythm likely", "never passed out"),
        ),
        (ECG, LABS, FLUIDS, CONSULT),
    ),
    Complaint(
        "hand cut",
        ("cut the palm on a tin lid", "sliced a finger with a kitchen knife", "glass cut to the hand"),
        (
            ("self-inflicted, still wants to die", "an accident, no thoughts of self-harm"),
            ("finger cold and white, blood supply at risk", "fingers pink and warm"),
        ),
        (PROCEDURE, XRAY, DRUG, CONSULT),
        parts=("hand", "finger"),
        procedure="suturing",
        limb=True,
    ),
    Complaint(
        "sore throat",
        ("sore throat for three days", "hurts to swallow", "raw throat and swollen glands"),
        (
            ("drooling, airway at risk", "swallows well, no drooling"),
            ("noisy breathing, suspected epiglottitis", "breathing quiet, voice clear"),
        ),
        (LABS, DRUG, FLUIDS, SCAN),
        youngest=SCHOOL,
    ),
    Complaint(
        "back pain",
        ("bad back after gardening", "low back pain down one leg", "back seized up this morning"),
        (
            ("numb between the legs, cauda equina likely", "no numbness between the legs"),
            ("injects drugs, feverish, spinal infection likely", "no fever, never injected drugs"),
        ),
        (LABS, SCAN, DRUG, XRAY, PROCEDURE),
        parts=("spine", "pelvis"),
        procedure="bladder catheter",
    ),
    Complaint(
        "red leg",
        ("red sore patch on the shin", "shin hot and red after a scratch", "leg redness for two days"),
        (
            ("dusky skin spreading by the hour, suspected necrotising infection", "not spreading, skin intact"),
            ("on chemotherapy with fever, suspected low white cells", "no fever, not on chemotherapy"),
        ),
        (LABS, DRUG, SCAN, PROCEDURE),
        drugs=("IV antibiotics", "IV pain relief"),
        procedure="abscess drainage",
    ),
    Complaint(
        "wheeze",
        ("wheezy since the pollen rose", "asthma playing up", "tight wheezy chest at night"),
        (
            ("lips swelling after nuts, suspected anaphylaxis", "no lip or tongue swelling"),
            ("one side silent, suspected collapsed lung", "air entry equal on both sides"),
        ),
        (DRUG, XRAY, LABS, ECG),
        parts=("chest",),
        drugs=("nebuliser", "IV steroid"),
        youngest=SCHOOL,
    ),
    Complaint(
        "flank pain",
        ("ache in one flank", "stinging urine and a sore side", "loin pain coming in waves"),
        (
            ("kidney transplant with fever, sepsis likely", "no transplant, no fever"),
            ("single kidney, no urine since yesterday, blockage likely", "passing urine freely"),
        ),
        (LABS, SCAN, DRUG, FLUIDS, PROCEDURE),
        procedure="bladder catheter",
    ),
    Complaint(
        "head bump",
        ("bumped the head on a cupboard", "hit on the head by a ball", "knocked the forehead on a door"),
        (
            ("vomiting ever since, suspected brain bleed", "no vomiting since"),
            ("clear fluid from the ear, suspected skull fracture", "ears dry, no fluid"),
        ),
        (SCAN, DRUG, PROCEDURE, LABS),
        procedure="suturing",
        youngest=TODDLER,
    ),
    Complaint(
        "rash",
        ("itchy rash after new soap", "raised rash on arms and trunk", "blotchy rash for a day"),
        (
            ("purple spots that stay, suspected meningococcal disease", "spots fade on pressing"),
            ("mouth blistered, suspected Stevens-Johnson", "mouth normal, no blisters"),
        ),
        (DRUG, FLUIDS, LABS, CONSULT),
        drugs=("IM antihistamine", "IV steroid"),
        youngest=TODDLER,
    ),
    Complaint(
        "knee pain",
        ("knee puffy after a long walk", "painful knee for a week", "knee gave way at tennis"),
        (
            ("lower leg cold and pulseless, artery likely torn", "lower leg warm with pulses"),
            ("calf swollen and now breathless, lung clot likely", "calf slim, not breathless"),
        ),
        (XRAY, LABS, DRUG, CONSULT, PROCEDURE),
        parts=("knee", "leg"),
        procedure="needle drainage of the joint",
        limb=True,
    ),
    Complaint(
        "eye problem",
        ("gritty red eye", "sore watery eye since morning", "something blown into one eye"),
        (
            ("chemical splash, sight at risk", "no chemical splash"),
            ("sudden loss of vision, suspected blocked artery", "sight unchanged"),
        ),
        (PROCEDURE, CONSULT, SCAN, LABS),
        procedure="eye irrigation",
    ),
    Complaint(
        "burn",
        ("hot tea spilt on the forearm", "burnt the hand on an oven", "scald to the thigh"),
        (
            ("soot in the nose, suspected airway burn", "no soot, voice normal"),
            ("burnt all round the limb and numb, blood supply at risk", "feeling and pulses normal"),
        ),
        (DRUG, FLUIDS, CONSULT, LABS),
        youngest=TODDLER,
        limb=True,
    ),
    Complaint(
        "hip pain",
        ("slipped on ice, hip hurts", "sore hip since a stumble", "hip bruised getting out of a car"),
        (
            ("takes apixaban and struck the head, brain bleed likely", "head not struck, no blood thinners"),
            ("leg cold and grey, artery likely blocked", "leg warm, normal colour"),
        ),
        (XRAY, LABS, ECG, DRUG),
        parts=("hip", "pelvis"),
        limb=True,
    ),
    Complaint(
        "toothache",
        ("toothache keeping them awake", "cracked molar while eating", "gum swollen round a back tooth"),
        (
            ("floor of the mouth swollen, airway at risk", "mouth floor soft, opens wide"),
            ("eye bulging and jaw locked, suspected spread to the brain", "eyes and jaw normal"),
        ),
        (LABS, DRUG, SCAN, CONSULT),
        drugs=("IV antibiotics", "IV pain relief"),
    ),
)
