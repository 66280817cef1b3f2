"""How letters of `abbreviations` are worded, and their terms: each has a short form that another term has, too."""

from preceptor.tasks.cases._wording import Side

TERMS: dict[str, tuple[str, ...]] = {
    "cardiology": (
        "right atrium", "aortic stenosis", "mitral stenosis", "myocardial infarction", "heart failure",
        "ventricular tachycardia", "cardiac output",
    ),
    "gastroenterology": (
        "mesenteric ischemia", "hepatic failure", "portal hypertension", "chronic pancreatitis", "chronic hepatitis",
        "ulcerative colitis", "liver cirrhosis",
    ),
    "neurology": (
        "multiple sclerosis", "Parkinson disease", "Huntington disease", "cerebral palsy", "cluster headache",
        "optic nerve",
    ),
    "orthopaedics": (
        "rheumatoid arthritis", "ankylosing spondylitis", "hip fracture", "rheumatoid factor", "psoriatic arthritis",
        "osteonecrosis",
    ),
    "pulmonology": ("pulmonary hypertension", "lung cancer", "tidal volume", "pulmonary artery", "carbon monoxide"),
    "urology": ("peritoneal dialysis", "hemodialysis", "renal artery", "renal failure", "urinary catheter"),
}  # fmt: skip
"""By specialty. RA is the right atrium, rheumatoid arthritis or the renal artery."""

LAYOUTS: dict[Side, tuple[str, ...]] = {"train": ("letter", "note"), "test": ("report",)}
"""The wording families."""
LAID_OUT = {"letter": "Dear colleague,\n{story}\nKind regards", "note": "{story}", "report": "Report\n{story}"}

CAME: dict[Side, tuple[str, ...]] = {
    "train": (
        "The visit was for {complaint}, over {time}.",
        "What brought the patient here was {complaint} for {time}.",
    ),
    "test": ("Comes because of {complaint}, {time} by now.",),
}
TOLD: dict[Side, tuple[str, ...]] = {
    "train": (
        "with regard to {term} we found {finding}.",
        "for {term} a request for {test} was sent.",
        "{test} was looked at again because of {term}.",
        "we talked about {term}, and {treatment} goes on.",
        "there was {finding}, which fits what is known of {term}.",
    ),
    "test": (
        "{finding} today; {term} as before.",
        "{treatment} as agreed, in view of {term}.",
        "{term}: {test} booked.",
    ),
}
"""What is told of the letter's own specialty, the term beside something else of it."""
PAST: dict[Side, tuple[str, ...]] = {
    "train": (
        "years ago {term} was a matter elsewhere, with {treatment} at the time.",
        "an old letter has {term} in it, and {test} from then.",
        "another clinic looks after {term}, where {treatment} was begun.",
    ),
    "test": ("elsewhere in the past: {term}, then {treatment}.", "old papers name {term} and {test}."),
}
"""Another specialty's terms, which this letter is not about."""
