"""How patients say that a sign is there or is not, in words for train and validation cases and in words for test.

`{I}`, `{my}`, `{me}`, `{have}` and `{am}` become those of the patient, who may be the writer or another.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Sign(NamedTuple):
    """A sign there is, and the same sign denied."""

    train: str
    test: str
    denied_train: str
    denied_test: str


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
