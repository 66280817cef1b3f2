"""What notes of `long_note` say of smoking: the one sentence that decides, and those on others or on things."""

from preceptor.tasks.cases._wording import Side

DECIDING: dict[str, dict[Side, tuple[str, ...]]] = {
    "current smoker": {
        "train": (
            "{He} smokes {number} cigarettes a day.",
            "The patient has smoked since the age of {age} and does so still.",
            "{He} still smokes, about {number} a day, and does not want to stop now.",
            "Tobacco: {number} cigarettes daily, up to the day of admission.",
            "On most evenings of the stay {he} went outside to smoke.",
            "The patient smokes a pipe in the evening and wishes to go on with it.",
        ),
        "test": (
            "The patient is smoking {number} a day at present.",
            "{He} smokes daily and has tried to give up without success.",
            "Cigarettes: {number} per day, ongoing.",
        ),
    },
    "past smoker": {
        "train": (
            "{He} gave up smoking {years} years ago.",
            "The patient smoked until {years} years ago and has not touched tobacco since.",
            "{He} used to smoke {number} cigarettes a day and stopped {years} years ago.",
            "Tobacco: stopped {years} years ago.",
            "The patient stopped smoking when {he} retired.",
            "{He} has not smoked for {years} years, before that it was {number} a day.",
        ),
        "test": (
            "The patient quit smoking {years} years ago.",
            "{He} smoked {number} a day in {his} youth and gave up {years} years ago.",
            "Cigarettes: none for {years} years, formerly {number} per day.",
        ),
    },
    "non-smoker": {
        "train": (
            "{He} has never smoked.",
            "The patient denies ever having smoked.",
            "Tobacco: never.",
            "{He} says that {he} has not smoked a single cigarette in {his} life.",
            "The patient never took up smoking.",
            "There is no history of smoking in the patient.",
        ),
        "test": (
            "The patient has never been smoking.",
            "Cigarettes: never any.",
            "{He} reports that {he} never smoked, not even at school.",
        ),
    },
    "unknown": {
        "train": (
            "Whether {he} smokes could not be found out.",
            "Tobacco: not asked.",
            "The patient would not say whether {he} smokes.",
            "Nothing about smoking could be learnt from {him} or from old letters.",
            "It is not known whether the patient ever smoked.",
            "The patient could not be asked about smoking.",
        ),
        "test": (
            "It could not be established whether the patient is smoking.",
            "Cigarettes: not recorded.",
            "{He} was not asked whether {he} smokes.",
        ),
    },
}
"""Label -> the sentences that say it of the patient. `unknown` is said too: a note that is silent could not be told
from one whose sentence was not read.
"""

OF_OTHERS: dict[Side, tuple[str, ...]] = {
    "train": (
        "{His} father smokes {number} cigarettes a day.",
        "{His} brother gave up smoking {years} years ago.",
        "{His} mother has never smoked.",
        "Whether {his} grandfather smoked is not known.",
        "{His} uncle smoked until {years} years ago and died of a stroke.",
        "A cousin still smokes, about {number} a day.",
        "None of {his} sisters ever smoked.",
        "Of {his} other grandfather it could not be found out whether he smoked.",
    ),
    "test": (
        "{His} elder son is smoking {number} a day.",
        "{His} aunt quit smoking {years} years ago.",
        "{His} daughter never smoked.",
        "It could not be established whether {his} late father was smoking.",
        "A nephew smokes daily.",
        "{His} stepmother gave up cigarettes {years} years ago.",
    ),
}
"""Family history: every label is said of somebody else."""

OF_THINGS: dict[Side, tuple[str, ...]] = {
    "train": (
        "There is no smoke alarm in the flat, and the landlord was told.",
        "{He} likes smoked fish and has it once a week.",
        "A pan caught fire in the kitchen last winter, without any smoke inhalation.",
        "The leaflet on giving up smoking lies in the waiting room for everybody.",
        "The neighbour smokes on the balcony, which {he} does not mind.",
    ),
    "test": (
        "The smoke detector at home was tested by the fire service.",
        "No smoke or fumes at the place of work.",
        "Smoked ham agrees with {him} well.",
        "The ward reminds all visitors that smoking is not allowed at the entrance.",
    ),
}
"""Where the words stand and nobody's habit is meant, negations among them."""
