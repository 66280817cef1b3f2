"""How triage nurses write: the words for each fact, one bank for train and validation cases and one for test."""

from collections.abc import Mapping

from preceptor.tasks.cases._esi import Resource
from preceptor.tasks.cases._wording import Side

RESOURCE_WORDS: Mapping[Side, Mapping[Resource, tuple[str, ...]]] = {
    "train": {
        "labs": ("blood count", "blood chemistry", "blood cultures", "lab urine test"),
        "ECG": ("ECG",),
        "X-ray": ("{part} X-ray",),
        "scan": ("CT scan", "ultrasound"),
        "fluids": ("IV fluids", "a litre of IV saline"),
        "drug": ("IV pain relief", "IM injection for pain"),
        "consult": ("specialist consult",),
        "procedure": ("{procedure}",),
    },
    "test": {
        "labs": ("blood tests", "clotting bloods", "kidney bloods", "urine to the lab"),
        "ECG": ("12-lead ECG",),
        "X-ray": ("X-ray of the {part}",),
        "scan": ("CT", "ultrasound scan"),
        "fluids": ("fluids IV", "IV hydration"),
        "drug": ("IV morphine", "IM painkiller"),
        "consult": ("consult by a specialist",),
        "procedure": ("{procedure}",),
    },
}

UNCOUNTED_WORDS: Mapping[Side, tuple[str, ...]] = {
    "train": (
        "oral ibuprofen",
        "oral antibiotics",
        "paracetamol by mouth",
        "prescription refill",
        "fingerstick glucose",
        "bedside urine dip",
        "phone own doctor",
        "saline lock",
    ),
    "test": (
        "ibuprofen by mouth",
        "antibiotic tablets",
        "oral paracetamol",
        "repeat prescription",
        "bedside glucose",
        "bedside dipstick",
        "call family doctor",
        "capped saline lock",
    ),
}
UNCOUNTED_LIMB_WORDS: Mapping[Side, tuple[str, ...]] = {
    "train": ("splint", "simple dressing", "tetanus shot"),
    "test": ("a splint", "plain dressing", "tetanus booster"),
}

LIFE_SAVING: Mapping[Side, tuple[str, ...]] = {
    "train": (
        "being bagged by the crew, tube ready",
        "unresponsive, only groans to a pinch",
        "breaths failing, naloxone being given",
        "failing breathing, emergency BiPAP on",
        "collapsed, emergency pacing under way",
    ),
    "test": (
        "tiring out, bag-mask ventilation by the team",
        "unresponsive even to pain",
        "airway closing, being intubated now",
        "bleeding out, emergency transfusion running",
        "collapsed, emergency cardioversion being set up",
    ),
}
"""What decision point A means by an intervention, or a patient who does not respond."""

NOT_LIFE_SAVING: Mapping[Side, tuple[str, ...]] = {
    "train": ("on the monitor", "oxygen by nasal prongs", "monitor on, line sited"),
    "test": ("cardiac monitor attached", "oxygen by face mask", "IV line placed"),
}
CLEAR_MIND: Mapping[Side, tuple[str, ...]] = {
    "train": ("alert and oriented", "awake, talks normally", "alert, knows day and place"),
    "test": ("fully awake and orientated", "clear-headed", "awake, answers well"),
}
CLEAR_MIND_CHILD: Mapping[Side, tuple[str, ...]] = {
    "train": ("alert, playing", "awake, interacts well"),
    "test": ("wide awake and playful", "bright and active"),
}
NEW_CONFUSION: Mapping[Side, tuple[str, ...]] = {
    "train": (
        "newly confused since this morning",
        "very drowsy, not usual",
        "disoriented today, was fine yesterday",
    ),
    "test": ("confused, new today", "lethargic, was well last night", "suddenly disoriented to place"),
}
USUAL_CONFUSION: Mapping[Side, tuple[str, ...]] = {
    "train": (
        "known dementia, confused as usual, no change",
        "long-standing confusion, family see no change",
        "disoriented as always, dementia",
    ),
    "test": (
        "confused for years with dementia, at baseline",
        "usual dementia, no more muddled than normal",
        "chronically disoriented, nothing new",
    ),
}
PAIN: Mapping[Side, tuple[str, ...]] = {
    "train": ("pain {score} out of ten", "rates pain {score}/10"),
    "test": ("pain score {score} of ten", "gives pain {score}/10"),
}
PAIN_UNKNOWN: Mapping[Side, tuple[str, ...]] = {
    "train": ("pain not rated", "cannot rate pain"),
    "test": ("no pain score possible", "pain score not obtained"),
}
PERSON: Mapping[Side, tuple[str, ...]] = {
    "train": ("{age} {sex}", "{sex}, {age}"),
    "test": ("{sex} aged {age}", "{sex} {age}"),
}
VITALS: Mapping[Side, tuple[tuple[str, str, str], ...]] = {
    "train": (("HR {}", "RR {}", "SpO2 {}%"), ("pulse {}", "resps {}", "sats {}%")),
    "test": (("heart rate {}", "resp rate {}", "oxygen {}%"), ("HR: {}", "RR: {}", "sat: {}%")),
}
WORK_UP: Mapping[Side, tuple[str, ...]] = {
    "train": ("Expect {}", "Will need {}", "Plan: {}"),
    "test": ("Anticipate {}", "Likely to get {}", "Work-up: {}"),
}
TONE: Mapping[Side, tuple[str, ...]] = {
    "train": (
        "Relatives demand to be seen at once",
        "Apologises for coming",
        "Joking with staff",
        "Very worried and tearful",
        "Says it is probably nothing",
        "Thinks it is very serious",
    ),
    "test": (
        "Family keeps asking how long",
        "Did not want to bother anyone",
        "Cheerful, chatting",
        "Partner is frightened",
        "Calls it a trifle",
        "Insists on going first",
    ),
}
BACKGROUND: Mapping[Side, tuple[str, ...]] = {
    "train": ("Allergic to penicillin", "Came by bus", "Hay fever in summer"),
    "test": ("Latex allergy", "Brought by a neighbour", "Eczema in winter"),
}
BACKGROUND_ADULT: Mapping[Side, tuple[str, ...]] = {
    "train": ("Takes blood pressure tablets", "Non-smoker", "Appendix out as a teenager"),
    "test": ("On thyroxine", "Smokes at weekends", "Tonsils removed long ago"),
}
LAYOUTS: Mapping[Side, tuple[str, ...]] = {
    "train": ("running text", "headed notes"),
    "test": ("handover text", "charted notes"),
}
"""The wording families: one text, or several notes; the banks above belong to the side of the family."""
