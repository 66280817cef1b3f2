"""How patients say what the matter is, in words for train and validation cases and in words for test.

`{I}`, `{my}`, `{me}`, `{have}` and `{am}` become those of the patient, who may be the writer or another.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Said(NamedTuple):
    """Ways to say one thing on each side."""

    train: tuple[str, ...]
    test: tuple[str, ...]


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
