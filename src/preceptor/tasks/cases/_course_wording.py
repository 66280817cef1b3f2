"""How a hospital course is told: families of wordings, each on one side of the split.

A family words every statement in one or two ways. `str.format` fills the names in braces; facts are put in as the gold
writes them, except for `{freq}`, which takes the family's way of writing a frequency.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Voice:
    """One wording family. `says` maps a statement to its wordings; `fillers` carry no fact of the summary."""

    name: str
    day: str
    person: Mapping[str, str]
    frequency: Mapping[str, str]
    says: Mapping[str, Sequence[str]]
    fillers: Sequence[str]
    capitals: bool = True


_PLAIN = {
    "daily": "once daily",
    "twice daily": "twice daily",
    "three times daily": "three times daily",
    "four times daily": "four times daily",
}
_SPOKEN = {
    "daily": "once a day",
    "twice daily": "twice a day",
    "three times daily": "three times a day",
    "four times daily": "four times a day",
}
_LATIN = {"daily": "OD", "twice daily": "BD", "three times daily": "TDS", "four times daily": "QDS"}
_AMERICAN = {"daily": "daily", "twice daily": "BID", "three times daily": "TID", "four times daily": "QID"}

VOICES = (
    Voice(
        "textbook",
        "Day {day}.",
        {"F": "{age}-year-old woman", "M": "{age}-year-old man"},
        _PLAIN,
        {
            "admitted": ("{person} admitted with {diagnosis}.", "Admitted: {person}, {diagnosis}."),
            "other side": ("The {other} {site} was normal.",),
            "done": ("{procedure} was performed.", "Underwent {procedure}."),
            "not done": ("{procedure} was considered but not needed.",),
            "unchanged": ("{drug} {dose} {freq} continues.", "Continues {drug} {dose} {freq}."),
            "changed": (
                "{drug} was started at {old} and increased to {dose} {freq}.",
                "{drug} {dose} {freq}, increased from {old}.",
            ),
            "lowered": ("{drug} was reduced from {old} to {dose} {freq}.",),
            "before": ("{drug} {old} started.",),
            "after": ("{drug} is now {dose} {freq}.",),
            "stopped": ("{drug} was stopped because of {reason}.",),
            "held": ("{drug} {dose} {freq} was held overnight and restarted.",),
            "allergic": ("Allergic to {allergen} ({reaction}).",),
            "denies": ("Denies {allergen} allergy.", "No allergy to {allergen}."),
            "relative": ("The {relative} is allergic to {allergen}, the patient has no allergy.",),
            "goes": ("Discharged to {place}.",),
            "goes instead": ("{planned} was planned, but discharge is to {place}.",),
            "seen": ("{clinic} in {weeks} weeks.", "Follow-up with {clinic} in {weeks} weeks."),
        },
        ("Slept well.", "Eating and drinking.", "Walks with one stick.", "The family visited today."),
    ),
    Voice(
        "ward round",
        "D{day}:",
        {"F": "{age}F", "M": "{age}M"},
        _LATIN,
        {
            "admitted": ("{person}, came in with {diagnosis}.", "{person} under us for {diagnosis}."),
            "other side": ("{other} {site} looks fine.",),
            "done": ("{procedure} done.", "Has had {procedure}."),
            "not done": ("{procedure} discussed, decided against.",),
            "unchanged": ("Usual {drug} {dose} {freq} goes on.",),
            "changed": ("{drug} up from {old} to {dose} {freq}.", "{drug}: {old} at first, then {dose} {freq}."),
            "lowered": ("{drug} down from {old} to {dose} {freq}.",),
            "before": ("Put on {drug} {old}.",),
            "after": ("{drug} up to {dose} {freq}.",),
            "stopped": ("{drug} off for good, {reason}.",),
            "held": ("{drug} missed one night, back on {dose} {freq}.",),
            "allergic": ("{reaction} with {allergen}: allergic.",),
            "denies": ("Not allergic to {allergen}.",),
            "relative": ("{relative} has {allergen} allergy, not our patient.",),
            "goes": ("Going to {place}.",),
            "goes instead": ("Not {planned} after all, going to {place}.",),
            "seen": ("Back to {clinic} in {weeks} weeks.",),
        },
        ("Comfortable.", "Good night.", "Bloods tomorrow.", "Mobile to the bathroom."),
    ),
    Voice(
        "telegram",
        "Day {day}:",
        {"F": "{age} F", "M": "{age} M"},
        _LATIN,
        {
            "admitted": ("{person}. {diagnosis}.", "Adm {diagnosis}, {person}."),
            "other side": ("{other} {site} NAD.",),
            "done": ("S/p {procedure}.", "{procedure}: done."),
            "not done": ("{procedure}: cancelled, improved.", "No {procedure} needed."),
            "unchanged": ("Cont {drug} {dose} {freq}.",),
            "changed": ("{drug} {old} -> {dose} {freq}.", "{drug} {dose} {freq} (was {old})."),
            "lowered": ("{drug} cut {old} -> {dose} {freq}.",),
            "before": ("Start {drug} {old}.",),
            "after": ("{drug} to {dose} {freq}.",),
            "stopped": ("STOP {drug} ({reason}).", "{drug} stopped: {reason}."),
            "held": ("{drug} held x1, restart {dose} {freq}.",),
            "allergic": ("Allergy: {allergen}, {reaction}.",),
            "denies": ("Denies {allergen} allergy.",),
            "relative": ("{relative} {allergen} allergy; pt none.",),
            "goes": ("D/c to {place}.",),
            "goes instead": ("{planned} refused, d/c to {place}.",),
            "seen": ("F/u {clinic} in {weeks} weeks.",),
        },
        ("Obs stable.", "Afebrile.", "Pain 2/10.", "Bowels open."),
    ),
    Voice(
        "letter",
        "On day {day}:",
        {"F": "lady of {age}", "M": "gentleman of {age}"},
        _SPOKEN,
        {
            "admitted": ("This {person} came to us with {diagnosis}.", "A {person} presented with {diagnosis}."),
            "other side": ("There was nothing wrong with the {other} {site}.",),
            "done": ("We carried out {procedure}.", "{procedure} went well."),
            "not done": ("We thought about {procedure} but did not go ahead.",),
            "unchanged": ("Please carry on with {drug} {dose} {freq}.",),
            "changed": (
                "{drug} began at {old} but had to go to {dose} {freq}.",
                "We put {drug} up to {dose} {freq}; {old} was too little.",
            ),
            "lowered": ("We brought {drug} down to {dose} {freq}; {old} was too much.",),
            "before": ("We began {drug} {old}.",),
            "after": ("{drug} is being taken as {dose} {freq} now.",),
            "stopped": ("We stopped {drug} on account of {reason}.",),
            "held": ("We paused {drug} for a day and then resumed {dose} {freq}.",),
            "allergic": ("{allergen} brings on {reaction}, a true allergy.",),
            "denies": ("There is no {allergen} allergy.",),
            "relative": ("A {relative} is allergic to {allergen}; our patient is allergic to nothing.",),
            "goes": ("The way from here is to {place}.", "Left us for {place}."),
            "goes instead": ("We had hoped for {planned}, in the end it is {place}.",),
            "seen": ("We ask {clinic} to see the patient in {weeks} weeks.",),
        },
        ("It was a pleasure to look after this patient.", "Spirits are good.", "The stay was otherwise calm."),
    ),
    Voice(
        "checklist",
        "[day {day}]",
        {"F": "female {age}", "M": "male {age}"},
        _AMERICAN,
        {
            "admitted": ("reason for admission {diagnosis} ({person}).",),
            "other side": ("{other} {site} unremarkable.",),
            "done": ("completed: {procedure}.", "{procedure} completed, no complications."),
            "not done": ("{procedure} not carried out.",),
            "unchanged": ("ongoing {drug} {dose} {freq}.",),
            "changed": (
                "{drug} raised from {old}, current {dose} {freq}.",
                "{drug} initially {old}, now {dose} {freq}.",
            ),
            "lowered": ("{drug} lowered from {old}, current {dose} {freq}.",),
            "before": ("new {drug} {old}.",),
            "after": ("{drug} current {dose} {freq}.",),
            "stopped": ("discontinued {drug} due to {reason}.",),
            "held": ("{drug} withheld once, resumed {dose} {freq}.",),
            "allergic": ("known reaction to {allergen}: {reaction}.",),
            "denies": ("reports no {allergen} allergy.",),
            "relative": ("{allergen} allergy in {relative} only.",),
            "goes": ("destination {place}.",),
            "goes instead": ("destination {place} in place of {planned}.",),
            "seen": ("appointment {clinic} in {weeks} weeks.",),
        },
        ("skin intact.", "fluids taken.", "call bell in reach.", "belongings checked."),
        capitals=False,
    ),
    Voice(
        "handover",
        "Day {day} -",
        {"F": "{age} year old female", "M": "{age} year old male"},
        _AMERICAN,
        {
            "admitted": ("{person} here for {diagnosis}.", "Patient is a {person}, {diagnosis}."),
            "other side": ("Nothing found in the {other} {site}.",),
            "done": ("Got {procedure}.", "{procedure} has been done."),
            "not done": ("Was listed for {procedure}, taken off the list.",),
            "unchanged": ("Still on {drug} {dose} {freq}.", "Takes {drug} {dose} {freq}."),
            "changed": ("{drug} went from {old} to {dose} {freq}.", "{drug} {old} not enough, so {dose} {freq}."),
            "lowered": ("{drug} {old} too strong, so {dose} {freq}.",),
            "before": ("First {drug} {old} given.",),
            "after": ("{drug} went to {dose} {freq}.",),
            "stopped": ("No more {drug} because of {reason}.", "Came off {drug}, {reason}."),
            "held": ("Skipped {drug} yesterday, back to {dose} {freq}.",),
            "allergic": ("Gets {reaction} from {allergen}, allergic.",),
            "denies": ("Says no to {allergen} allergy.",),
            "relative": ("{relative} allergic to {allergen}, patient is not.",),
            "goes": ("Leaving for {place}.",),
            "goes instead": ("Was down for {planned}, now leaving for {place}.",),
            "seen": ("To be seen by {clinic} in {weeks} weeks.",),
        },
        ("Quiet shift.", "In good spirits.", "Needs no help washing.", "Asked about the car park."),
    ),
)
