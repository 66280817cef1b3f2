"""How letters of `specialty` are worded: sentences that tell, and sentences that any clinic writes of anybody."""

from preceptor.tasks.cases._wording import Side

LAYOUTS: dict[Side, tuple[str, ...]] = {
    "train": ("letter", "headed note", "note in one paragraph"),
    "test": ("report", "summary with headings"),
}
"""The wording families."""

WHO: dict[Side, tuple[str, ...]] = {
    "train": ("This {age}-year-old {person} came to see us.", "I saw this {age}-year-old {person}."),
    "test": ("The {person} is aged {age}.",),
}
TOLD: dict[str, dict[Side, tuple[str, ...]]] = {
    "symptom": {
        "train": ("For {time} there has been {term}.", "The complaint is {term}, for {time} now."),
        "test": ("Describes {term} over {time}.",),
    },
    "finding": {
        "train": ("On examination there was {term}.", "Of note on examination: {term}."),
        "test": ("Examined today, with {term}.",),
    },
    "test": {
        "train": ("We arranged {term}.", "The result of {term} is awaited.", "A request for {term} was sent."),
        "test": ("Booked for {term}.", "{term} done this morning."),
    },
    "problem": {
        "train": ("The working diagnosis is {term}.", "This is most in keeping with {term}."),
        "test": ("Impression: {term}.",),
    },
    "treatment": {
        "train": ("We discussed {term} and agreed to go ahead.", "The plan is {term}."),
        "test": ("Next step: {term}.",),
    },
}
"""What is told of the problem that the letter is about."""
PAST: dict[Side, tuple[str, ...]] = {
    "train": ("Also known from the past: {terms}.", "There was trouble of another kind before, with {terms}."),
    "test": ("Longstanding as well ({terms}).",),
}
"""Another specialty's problem, which this letter is not about."""
CLINIC: dict[Side, str] = {"train": "Seen in the {label} clinic.", "test": "{label} clinic visit."}
"""In some letters the label stands by right, as in real ones."""
PERSON = {"F": ("woman", "lady", "female patient"), "M": ("man", "gentleman", "male patient")}
TIME = ("three weeks", "two months", "half a year", "about a year", "some days", "several years")

ANYBODY: dict[Side, tuple[str, ...]] = {
    "train": (
        "Blood pressure was {systolic}/{diastolic} and weight {weight} kg.",
        "Lives with family in a house with stairs and manages shopping without help.",
        "Does not smoke and drinks a glass of wine at the weekend.",
        "Smoked in younger years and gave it up long ago.",
        "Works in an office and has taken no days off for this.",
        "Retired from teaching and walks the dog every morning.",
        "There are no known drug allergies, and the list of medicines was gone through.",
        "Appetite and weight have been steady, and there was no fever.",
        "I explained what we know so far and answered all questions that came up.",
        "A leaflet was given, and the telephone number of our office is on it.",
        "I would be grateful if the practice could repeat the usual blood tests in a month.",
        "We will write again when the results are here, and see each other in about twelve weeks.",
        "Please get in touch earlier if anything changes or if there are new concerns.",
        "Parents and siblings are well as far as is known.",
        "Came today with a daughter, who helped to recall when it all began.",
        "Sleep is fair, and mood was described as good on most days.",
    ),
    "test": (
        "Pressure {systolic} over {diastolic}, weighs {weight} kg.",
        "Independent at home, cooks and cleans, has help with the garden only.",
        "Never a smoker, hardly any alcohol.",
        "An ex-smoker of many years.",
        "Employed full time, no sick leave needed until now.",
        "A pensioner who goes swimming twice a week.",
        "Allergies: none that we know of. Medicines checked against the list that was brought along.",
        "Eating well, no loss of weight and no temperature.",
        "Findings so far were talked through, and there was time for questions.",
        "Written information was handed over with our contact details.",
        "Could routine bloods be repeated by the practice before the next visit, please.",
        "Review here in three months, results will be sent by post before that.",
        "To ring us sooner should things get worse or new problems arise.",
        "Nothing of the kind runs in the family.",
        "Attended together with a son, who gave part of the story.",
        "Sleeps reasonably, spirits are fine by own account.",
    ),
}
