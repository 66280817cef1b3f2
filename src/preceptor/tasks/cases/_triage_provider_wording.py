"""How patients write about themselves and others: one bank for train and validation cases, one for test."""

from collections.abc import Mapping

from preceptor.tasks.cases._provider import Sex
from preceptor.tasks.cases._wording import Side

PREGNANT: Mapping[Side, tuple[str, ...]] = {
    "train": ("{I} {am} pregnant", "{I} {am} 20 weeks pregnant"),
    "test": ("pregnant at the moment", "{I} {am} five months pregnant"),
}
NOT_PREGNANT: Mapping[Side, tuple[str, ...]] = {
    "train": ("not pregnant", "no chance of pregnancy"),
    "test": ("cannot be pregnant", "certainly not pregnant"),
}
SELF: Mapping[Side, tuple[str, ...]] = {
    "train": ("I am a {age} year old {sex}", "{sex}, {age}"),
    "test": ("I'm {age}, {sex}", "Age {age}, {sex}"),
}
ANOTHER: Mapping[Side, tuple[str, ...]] = {
    "train": ("My {relation} is {age}", "This is about my {relation}, {age}"),
    "test": ("Writing for my {relation} of {age}", "It's my {relation}, aged {age}"),
}
SEX: Mapping[Side, Mapping[Sex, str]] = {
    "train": {"F": "woman", "M": "man"},
    "test": {"F": "female", "M": "male"},
}
CHILD: Mapping[Sex, str] = {"F": "daughter", "M": "son"}
GROWN_UP: Mapping[Side, Mapping[Sex, str]] = {
    "train": {"F": "wife", "M": "husband"},
    "test": {"F": "sister", "M": "brother"},
}
TONE: Mapping[Side, tuple[str, ...]] = {
    "train": (
        "Sorry to bother you",
        "I am really frightened",
        "Probably nothing",
        "Please help quickly",
        "No rush at all",
        "Hope you are all well",
    ),
    "test": (
        "Apologies for the trouble",
        "Very worried here",
        "It may be silly to ask",
        "Please answer at once",
        "Whenever you have time",
        "Thank you for your kindness",
    ),
}
BACKGROUND: Mapping[Side, tuple[str, ...]] = {
    "train": (
        "Allergic to penicillin",
        "Hay fever every summer",
        "We moved here in May",
        "A friend had shingles last year",
        "An aunt once had a breast lump",
        "A cousin had a stroke",
    ),
    "test": (
        "Latex brings on a rash",
        "Eczema in the winter",
        "We are new to the area",
        "A neighbour had cystitis lately",
        "Grandad coughed blood once",
        "An uncle has heart trouble",
    ),
}
LAYOUTS: Mapping[Side, tuple[str, ...]] = {
    "train": ("one message", "two messages"),
    "test": ("web form", "message with a second thought"),
}
"""The wording families; the banks above belong to the side of the family."""
