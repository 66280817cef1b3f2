"""How patients write: the words for each problem and sign, one bank for train and validation cases, one for test.

`{I}`, `{my}`, `{me}`, `{have}` and `{am}` become those of the patient, who may be the writer or another.
"""

from collections.abc import Mapping
from typing import NamedTuple

from preceptor.tasks.cases._provider import Sex
from preceptor.tasks.cases._wording import Side


class Said(NamedTuple):
    """Ways to say one thing on each side."""

    train: tuple[str, ...]
    test: tuple[str, ...]


class Sign(NamedTuple):
    """A sign there is, and the same sign denied."""

    train: str
    test: str
    denied_train: str
    denied_test: str


PROBLEMS: Mapping[str, Said] = {
    "cystitis": Said(
        (
            "{I} {have} burning when weeing and {am} going every hour",
            "weeing stings and the wee is cloudy",
            "peeing hurts, up three times in the night",
        ),
        ("burning pain on peeing, up all night", "peeing burns, the wee smells and looks cloudy"),
    ),
    "sinusitis": Said(
        (
            "{I} {have} a blocked nose and aching cheeks",
            "thick green snot and pressure over the cheekbones",
            "{my} sinuses are full and painful",
        ),
        ("a stuffed nose and pain over the cheeks", "{my} sinuses ache, with green snot"),
    ),
    "sore throat": Said(
        (
            "{my} throat is raw and red",
            "{I} {have} a sore throat, swallowing hurts",
            "throat very sore with swollen glands",
        ),
        ("{my} throat is sore as razor blades", "a scratchy sore throat and big glands"),
    ),
    "earache": Said(
        ("{my} ear aches, worse lying down", "{I} {have} earache and a fever since last night", "pain inside one ear"),
        ("bad earache and a temperature", "{my} ear is in pain deep inside"),
    ),
    "infected bite": Said(
        (
            "a midge bite on the arm turned red, hot and sore",
            "{I} {have} an insect bite with spreading redness and pus",
            "a bug bite swelled up and is full of pus",
        ),
        ("a gnat bite on the leg is swollen, red and leaking pus", "a horsefly bite went hot and sore"),
    ),
    "impetigo": Said(
        (
            "{I} {have} golden crusty sores round the mouth",
            "scabby patches like honey by the nose",
            "weeping sores on the chin with yellow crusts",
        ),
        ("yellow crusty sores on the cheek", "patches with a honey crust round the nose"),
    ),
    "shingles": Said(
        (
            "{I} {have} burning blisters in a band on one side of the chest",
            "a painful blistery stripe round half the waist",
            "it looks like shingles, a one-sided blistery rash",
        ),
        ("a strip of burning blisters on one side of the back", "a painful one-sided band of blisters"),
    ),
    "blood in urine": Said(
        ("{I} noticed bright red blood in the wee", "the toilet was red with blood after a wee", "{my} pee was bloody"),
        ("{my} wee came out red and bloody", "blood when peeing, twice now"),
    ),
    "breast lump": Said(
        (
            "{I} found a lump in {my} breast",
            "{I} {have} a hard lump like a pea in one breast",
            "there is a new thickening in {my} breast",
        ),
        ("a firm lump in one breast", "{my} breast has a new lump"),
    ),
    "nipple change": Said(
        (
            "one nipple turned inwards",
            "{I} {have} fluid coming from one nipple",
            "{my} nipple is pulled in on one side",
        ),
        ("{my} left nipple turned in", "fluid leaks from a single nipple"),
    ),
    "coughing blood": Said(
        (
            "{I} coughed up blood",
            "streaks of blood in {my} phlegm",
            "{I} {have} a cough that brings up red spots of blood",
        ),
        ("there was blood in what {I} coughed up", "a cough with red streaks in the phlegm"),
    ),
    "jaundice": Said(
        ("{my} eyes and skin turned yellow", "{I} {have} yellow skin and dark wee", "people noticed yellow eyes"),
        ("{my} skin went yellow all over", "the whites of {my} eyes are yellow"),
    ),
    "bleeding after menopause": Said(
        (
            "{I} {am} bleeding down below, periods ended over a year ago",
            "spotting again though the change is long over",
            "vaginal bleeding, last period was years ago",
        ),
        ("bleeding two years after {my} last period", "vaginal bleeding, no periods for eighteen months"),
    ),
    "trouble swallowing": Said(
        (
            "food sticks on the way down",
            "{I} {have} trouble getting meat down, it catches",
            "hard to swallow solid food",
        ),
        ("bread sticks on the way down", "swallowing solid food has become hard"),
    ),
    "heartburn": Said(
        ("{I} {have} heartburn every day", "burning acid after meals, tablets do nothing", "indigestion most evenings"),
        ("heartburn each night, acid comes up", "burning indigestion after meals"),
    ),
    "mole": Said(
        ("{I} {have} a mole on the back", "a dark mole on the calf", "{my} mole on the neck worries us"),
        ("a brown mole on the shoulder", "{my} old mole on the arm"),
    ),
    "dressing change": Said(
        (
            "{my} leg ulcer is due a dressing change",
            "the wound dressing needs changing this week",
            "{I} {have} a bandage that must be changed on Monday",
        ),
        ("{my} ulcer needs a new dressing", "the wound dressing is due on Thursday"),
    ),
    "stitches out": Said(
        (
            "{I} {have} stitches due out on Friday",
            "the stitches in {my} hand are ready to come out",
            "sutures need taking out",
        ),
        ("time for {my} stitches to come out", "ten days since the cut was sewn, stitches can go"),
    ),
    "travel vaccines": Said(
        (
            "{I} {have} a trip to Kenya booked and need jabs",
            "holiday vaccines for India, please",
            "travel injections are needed for Ghana",
        ),
        ("going to Peru soon, travel jabs are needed", "vaccines for a holiday in Vietnam, please"),
    ),
    "ear wax": Said(
        ("{my} ears are blocked with wax again", "{I} {have} ear wax that needs cleaning out", "dull hearing from wax"),
        ("{my} ears are full of wax", "wax blocks one ear, dull hearing"),
    ),
    "asthma review": Said(
        ("{my} yearly asthma check is due", "{I} got a letter to book an asthma review", "booking the asthma check-up"),
        ("asthma check-up, once a year", "a reminder came for the asthma review"),
    ),
    "smear": Said(
        ("{I} got the letter for {my} smear", "{my} smear test is due", "booking a cervical smear"),
        ("invitation for a smear came", "cervical smear due again"),
    ),
    "blood pressure check": Said(
        (
            "{my} blood pressure check is due",
            "{I} was told to have blood pressure taken this month",
            "routine blood pressure reading, please",
        ),
        ("{my} blood pressure needs taking for the yearly check", "booking a routine blood pressure check"),
    ),
    "B12 injection": Said(
        ("{my} B12 injection is due", "{I} {have} a B12 jab every twelve weeks, next is due", "booking a B12 shot"),
        ("B12 jab, the next one is due", "booking {my} regular B12 injection"),
    ),
    "diabetes review": Said(
        (
            "{my} yearly diabetes check is due",
            "{I} got a reminder for the diabetes review",
            "booking the diabetic check-up",
        ),
        ("diabetes check-up, once a year", "booking {my} yearly diabetes review"),
    ),
    "chest ache": Said(
        ("{I} {have} an ache in the chest", "{my} chest hurts on and off", "pain in the front of the chest"),
        ("an ache at the front of the chest", "{my} chest hurts since yesterday"),
    ),
    "headache": Said(
        ("{I} {have} a headache", "{my} head has been pounding", "pain all over the head"),
        ("a headache across the forehead", "{my} head hurts"),
    ),
    "back pain": Said(
        ("{I} {have} low back pain", "{my} back went while lifting", "back is sore, pain in one leg"),
        ("{my} lower back is in pain", "back pain, down one leg"),
    ),
    "numb hand": Said(
        ("{my} hand is numb", "{I} {have} pins and needles in one hand", "fingers tingle and feel dead"),
        ("fingers of one hand are numb", "pins and needles in the right hand"),
    ),
    "hives": Said(
        ("{I} {have} itchy hives all over", "raised itchy weals since lunch", "{my} skin came out in hives"),
        ("hives on the body, very itchy", "{my} skin came up in itchy weals"),
    ),
    "tiredness": Said(
        ("{I} {have} felt worn out for weeks", "no energy since the spring", "tired all day long"),
        ("worn out and tired these days", "no energy, whatever the sleep"),
    ),
    "low mood": Said(
        ("{I} {have} felt low for months", "{my} mood is down, nothing is fun", "sad and tearful since a bereavement"),
        ("tearful and low most days", "{my} mood is low since losing a job"),
    ),
    "knee pain": Said(
        ("{my} knee hurts on stairs", "{I} {have} a stiff sore knee for months", "an achy knee after walks"),
        ("a sore knee after walking", "{my} knee hurts since winter"),
    ),
    "heavy periods": Said(
        ("{my} periods are very heavy", "{I} {have} flooding with each period", "periods soak every pad"),
        ("flooding and soaked pads at each period", "{my} periods are much heavier"),
    ),
}

SIGNS: Mapping[str, Sign] = {
    "third urine infection this year": Sign(
        "third urine infection in the last year",
        "two other urine infections in the past ten months",
        "first urine infection ever",
        "never had a urine infection",
    ),
    "catheter": Sign("{I} {have} a catheter", "a catheter is in place", "no catheter", "no catheter in"),
    "kidney pain": Sign(
        "also back pain under the ribs and shivering",
        "also pain in one side of the back and shivers",
        "no back pain or shivering",
        "back not painful, no shivers",
    ),
    "weak immune system": Sign(
        "{I} {have} a weak immune system from transplant tablets",
        "{my} immune system is weak through transplant drugs",
        "immune system fine",
        "nothing wrong with immunity",
    ),
    "over twelve weeks": Sign(
        "it has gone on for four months", "it has lasted fifteen weeks", "started two weeks ago", "twelve days so far"
    ),
    "fourth ear infection this year": Sign(
        "fourth ear infection this year",
        "had three other ear infections this year",
        "first ear infection",
        "no ear infection before",
    ),
    "second impetigo this year": Sign(
        "second time this year", "had the same already this year", "first time", "never had it before"
    ),
    "large blisters": Sign(
        "with big fluid-filled blisters", "large blisters with fluid too", "no big blisters", "no blisters"
    ),
    "infection found": Sign(
        "lab found a urine infection, now on antibiotics",
        "tests found a bladder infection, antibiotics started",
        "urine test showed no infection",
        "tests found no infection",
    ),
    "weight loss": Sign(
        "{I} lost a stone in weight without trying",
        "weight is falling, lost two stone",
        "weight steady",
        "no weight lost",
    ),
    "mole grows": Sign("it got bigger", "it is bigger than last year", "not bigger", "size the same"),
    "mole uneven": Sign(
        "edge is ragged and uneven now", "its shape turned uneven", "edge smooth", "still round and even"
    ),
    "mole colours": Sign("it is several colours now", "it has mixed colours", "one even colour", "colour the same"),
    "mole wide": Sign("8 mm wide", "9 mm across", "only 6 mm wide", "6 mm across"),
    "mole inflamed": Sign("red round it", "it looks red and inflamed", "no redness", "not red"),
    "mole oozes": Sign("it weeps fluid", "fluid oozes from it", "not weeping", "it stays dry"),
    "mole itches": Sign("it itches", "itchy as well", "no itch", "not itchy"),
    "wound hot and oozing": Sign(
        "it is now hot with pus", "it turned hot, red and smelly", "clean and dry", "no redness or smell"
    ),
    "wound gaping": Sign("the cut came open", "the edges have come open", "healing well", "edges closed"),
    "on chemotherapy": Sign(
        "{I} {am} having chemotherapy", "{I} {am} on chemotherapy now", "no illness or treatment", "in good health"
    ),
    "ear discharge": Sign(
        "it is painful and runs", "painful, with fluid running out", "no pain or discharge", "does not hurt or run"
    ),
    "woken by wheeze": Sign(
        "wheeze wakes {me} most nights now", "woken every night by wheezing", "no wheeze", "not wheezing"
    ),
    "bleeding after sex": Sign(
        "also bleeding after sex", "bleeding after having sex lately", "no odd bleeding", "no bleeding between"
    ),
    "reading over 180": Sign(
        "home reading was 186 over 124", "at home it read 190/122", "home reading 138 over 84", "at home it read 134/82"
    ),
    "numb feet": Sign("both feet went numb lately", "feet newly numb and tingling", "no numbness", "no numb feet"),
    "foot sore": Sign(
        "there is an open sore on {my} foot", "an open sore patch under the foot", "feet look fine", "no sore feet"
    ),
    "blotchy skin": Sign(
        "skin is blotchy and grey, very ill",
        "blotchy cold skin, seems very ill",
        "skin colour normal",
        "skin has a good colour",
    ),
    "new confusion": Sign(
        "suddenly muddled, talking nonsense",
        "suddenly confused and talking rubbish",
        "thinking clearly",
        "mind is clear",
    ),
    "no urine": Sign(
        "no wee at all since yesterday", "passed no wee for 20 hours", "weeing normally", "passing wee fine"
    ),
    "rash that stays": Sign(
        "purple rash that stays under a glass",
        "purple spots that stay when a glass is pressed on",
        "no rash",
        "no spots",
    ),
    "drooling": Sign(
        "drooling, cannot swallow spit",
        "cannot swallow saliva, it drools out",
        "drinks go down fine",
        "swallows drinks well",
    ),
    "fighting for breath": Sign(
        "fighting for breath",
        "gasping for breath, cannot finish a sentence",
        "breathing normal",
        "no trouble breathing",
    ),
    "tongue swelling": Sign(
        "tongue and lips swelling up",
        "lips and tongue have swollen",
        "tongue and lips normal",
        "lips and tongue not swollen",
    ),
    "blue lips": Sign("lips have gone blue", "lips look blue-grey", "lips pink", "lips not blue"),
    "crushing and sweating": Sign(
        "now a crushing chest and cold sweat",
        "crushing weight on the chest, sweating",
        "no sweating or tightness",
        "not crushing, no sweat",
    ),
    "spreads to arm": Sign(
        "spreading to the jaw and left arm",
        "it spreads down the arm and up to the jaw",
        "does not spread",
        "stays in one spot",
    ),
    "face droop": Sign("one side of the face dropped", "face hangs down on one side", "face even", "face not drooping"),
    "slurred speech": Sign(
        "speech slurred since an hour ago", "slurring speech today", "talking normally", "speech clear"
    ),
    "sudden worst pain": Sign(
        "worst ever, it hit in seconds", "it hit suddenly, the worst ever", "came on slowly", "built up slowly"
    ),
    "stiff neck": Sign(
        "neck stiff, light unbearable", "stiff neck and cannot bear light", "neck moves freely", "neck not stiff"
    ),
    "saddle numbness": Sign("numb between the legs", "no feeling between the legs", "no numbness", "feeling is normal"),
    "ear pushed forward": Sign(
        "swelling behind the ear pushes it out",
        "red swelling behind it, ear sticks out",
        "no swelling behind the ear",
        "nothing swollen behind the ear",
    ),
    "eye swollen shut": Sign(
        "one eye swollen shut", "an eye so swollen it stays shut", "eyes fine", "eyes not swollen"
    ),
    "rash round eye": Sign(
        "now blisters on the nose and a red eye",
        "blisters reached the eyelid, eye is red",
        "nothing near the eyes",
        "no blisters near the eyes",
    ),
    "vomiting blood": Sign("vomited blood", "blood in the vomit", "no vomiting", "not vomiting"),
    "cupfuls of blood": Sign("now whole cupfuls", "whole cups of it by now", "only a teaspoon", "just a little"),
}

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
