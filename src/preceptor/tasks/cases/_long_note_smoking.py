"""What notes of `long_note` say of smoking: the one sentence that decides, and those on others or on things."""

from preceptor.tasks.cases._wording import Side

_OF_ITSELF = (
    "{He}", "The patient", "This patient", "As for tobacco, {he}", "On admission we noted that {he}",
    "By {his} own account {he}",
)  # fmt: skip
_OF_RELATIVES = (
    "{His} father", "{His} brother", "{His} mother", "{His} grandfather", "{His} uncle", "A cousin",
    "{His} eldest sister", "The person {he} lives with", "A neighbour", "{His} grandson", "{His} mother's sister",
    "A friend who came along", "{His} parents' lodger", "{His} half-brother", "{His} former wife or husband",
    "The carer",
)  # fmt: skip
_HABITS = {
    "current smoker": (
        "smokes {number} cigarettes a day",
        "still smokes, about {number} a day",
        "has smoked since the age of {age} and does so still",
        "smokes a pipe in the evening and wishes to go on with it",
        "is a smoker of {number} a day",
        "continues to smoke against all advice",
        "went outside to smoke on most evenings of late",
        "rolls cigarettes and smokes about {number} of them a day",
        "is an active smoker",
        "has {number} cigarettes a day, the first before breakfast",
        "has cut down but goes on smoking",
        "cannot do without cigarettes, {number} of them daily",
        "tried to stop last year and smokes {number} a day again",
        "smokes every day",
        "currently uses tobacco",
        "keeps smoking a little under a packet a day",
    ),
    "past smoker": (
        "gave up smoking {years} years ago",
        "smoked until {years} years ago and has not touched tobacco since",
        "used to smoke {number} cigarettes a day and stopped {years} years ago",
        "has not smoked for {years} years, before that it was {number} a day",
        "stopped smoking on retiring",
        "is a former smoker, abstinent for {years} years",
        "no longer smokes, but did so for {years} years",
        "threw the last cigarettes away {years} years ago",
        "is an ex-smoker",
        "smoked when young and stopped long ago",
        "formerly smoked about {number} a day, none now for {years} years",
        "has been free of tobacco for {years} years after smoking for long",
        "once smoked, but has had none for {years} years",
        "had the last cigarette {years} years ago",
        "ended a habit of {number} cigarettes a day {years} years ago",
        "was a smoker until {years} years ago",
    ),
    "non-smoker": (
        "has never smoked",
        "denies ever having smoked",
        "has not smoked a single cigarette in a whole life",
        "never took up smoking",
        "is a lifelong non-smoker",
        "does not smoke and never did",
        "has no history of smoking whatever",
        "never used tobacco in any form",
        "was never a smoker",
        "never had a cigarette",
        "has at no time smoked",
        "has always kept away from tobacco",
        "states to have never smoked",
        "did not smoke in youth or later",
        "never once smoked",
        "has been a non-smoker all along",
    ),
    "unknown": (
        "could not be asked about smoking",
        "would not say anything about smoking",
        "gave no answer when asked about tobacco",
        "may smoke or not, which could not be found out",
        "has a smoking status that nobody knows",
        "was never asked about cigarettes as far as we can see",
        "smokes or does not, nothing is recorded of it",
        "left the question about smoking open",
        "was too ill to be asked about smoking",
        "has no entry on smoking anywhere",
        "did not tell us whether cigarettes were ever smoked",
        "has an unknown smoking history",
        "was not asked about tobacco",
        "gave no information on smoking",
        "could not recall whether there had been any smoking",
        "has nothing documented on cigarettes",
    ),
}
"""What is said of the patient and of relatives alike, so that who is spoken of decides."""


def _said(of: tuple[str, ...], label: str) -> tuple[str, ...]:
    return tuple(f"{who} {habit}." for who in of for habit in _HABITS[label])


DECIDING: dict[str, dict[Side, tuple[str, ...]]] = {
    "current smoker": {
        "train": (
            *_said(_OF_ITSELF, "current smoker"),
            "Tobacco: {number} cigarettes daily, up to the day of admission.",
            "Smoking: yes, {number} a day.",
            "Smoking status: current smoker.",
        ),
        "test": (
            "The patient is smoking {number} a day at present.",
            "{He} smokes daily and has tried to give up without success.",
            "Cigarettes: {number} per day, ongoing.",
        ),
    },
    "past smoker": {
        "train": (
            *_said(_OF_ITSELF, "past smoker"),
            "Tobacco: stopped {years} years ago.",
            "Smoking: until {years} years ago, {number} a day.",
            "Smoking status: former smoker.",
        ),
        "test": (
            "The patient quit smoking {years} years ago.",
            "{He} smoked {number} a day in {his} youth and gave up {years} years ago.",
            "Cigarettes: none for {years} years, formerly {number} per day.",
        ),
    },
    "non-smoker": {
        "train": (
            *_said(_OF_ITSELF, "non-smoker"),
            "Tobacco: never.",
            "Smoking: no, and not in the past.",
            "Smoking status: has never smoked.",
        ),
        "test": (
            "The patient has never been smoking.",
            "Cigarettes: never any.",
            "{He} reports that {he} never smoked, not even at school.",
        ),
    },
    "unknown": {
        "train": (
            *_said(_OF_ITSELF, "unknown"),
            "Tobacco: not asked.",
            "Smoking: no information.",
            "Smoking status: unknown.",
            "Whether {he} smokes could not be found out.",
            "It is not known whether the patient ever smoked.",
            "Nothing about smoking could be learnt from {him} or from old letters.",
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
        *(line for label in _HABITS for line in _said(_OF_RELATIVES, label)),
        "Whether {his} grandfather smoked is not known.",
        "Of {his} other grandfather it could not be found out whether he smoked.",
        "None of {his} sisters ever smoked.",
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
        "The kitchen at home has a smoking stove that is to be swept.",
        "Smoked cheese is not to be eaten with this drug.",
        "There was smoke in the street from a fire, and the windows were shut.",
        "The lift was out of order after a smoke test by the technicians.",
        "A sign asks everybody not to smoke in the corridors.",
        "The smoking area of the hospital was moved to the car park.",
        "{He} reads much and writes on the history of the tobacco trade.",
        "The shop below the flat sells papers and cigarettes.",
        "Smoke from the barbecue next door made the eyes water.",
        "The room was given up by a visitor who smelt of smoke.",
        "A film about smoking and the heart runs in the day room.",
    ),
    "test": (
        "The smoke detector at home was tested by the fire service.",
        "No smoke or fumes at the place of work.",
        "Smoked ham agrees with {him} well.",
        "The ward reminds all visitors that smoking is not allowed at the entrance.",
    ),
}
"""Where the words stand and nobody's habit is meant, negations among them."""
