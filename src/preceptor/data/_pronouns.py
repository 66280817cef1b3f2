"""What `her` and `his` stand for, told from the words beside them: her -> him or his, his -> her or hers.

The rules are ours. They decide what is safe and nothing else; what they leave open is left out by who asks.
"""

import re
from collections.abc import Collection

_ENDS = re.compile(r"[\"'”’)\]]*(?:\s*$|[.,;:!?]|\s+[-–—]\s)")
_NEXT = re.compile(r"\s+(\w+)(-?)")
_LAST = re.compile(r"(\w+)\s+$")

_NO_NOUN = frozenset(
    "a about after again against all also although an and any are around as at away because before both but by did do "
    "does during each every for from had has have here how if in instead into is it no nor not now of off on onto or "
    "our out over she he since so some soon than that the their there these they this those though through till to "
    "today together tomorrow tonight too towards under unless until up via was we were what when where whether which "
    "while who whom why with within without yesterday you".split()
)
"""Words that begin something new: a `her` in front of one is an object (him), and no one's anything."""

_OWN = frozenset(
    "abdomen account age airway allergies allergy ankle ankles appetite arm arms belly bladder body bones bowel "
    "bowels brain breath calf carer carers cheek chest chin condition dentist diabetes diagnosis doctor ear ears "
    "elbow elbows eye eyes eyesight face family feet femur finger fingers foot forearm forehead gait groin gum gums "
    "hair hand hands head headache health hearing heart heel hip hips history illness jaw job joints kidney kidneys "
    "knee knees knuckles left leg legs lips liver lung lungs memory mood mouth nail nails neck neighbour neighbours "
    "nose oesophagus own parents partner past pulse rash recovery relatives rib ribs scalp shin shoulder shoulders "
    "siblings skin speech spine spleen stomach stroke surname symptoms teeth temperature thigh throat thumb thyroid "
    "toe toes tongue tonsils tooth upper lower usual vision voice waist weight wishes wound wounds wrist wrists".split()
)
"""What somebody has: a `her` in front of one is the one who has it (his). Not of it: home, water, time (took her home)."""

_PREPOSITIONS = frozenset("about by for from in of on to under with".split())
_UNSURE = frozenset(
    "alone always asleep awake being ever never often once one quite rather several so still then three twice two "
    "unconscious very four five six seven eight nine ten twelve".split()
)
_BOTH = re.compile(r"\s+(?:and|or)\s+(?:hers?|him|his)\b", re.IGNORECASE)


def object_or_owner(word: str, before: str, after: str, nouns: Collection[str]) -> str | None:
    """What takes the place of `her` or `his` (in lower case); None where its neighbours do not say.

    before, after: the rest of its sentence. nouns: of persons, who may be somebody's (her brother).

    her: him at an end (of the sentence, or before one of .,;:!? or a dash) and before a word that begins something new
    (and, to, when), unless it is the first word; his as the first word, before what somebody has (kin, parts of the
    body), and between a preposition and a word that is neither a number nor an adverb nor ends in -ing or -ly.
    his: hers at an end; her before any word that does not begin something new, but for `bundle` (of His).
    """
    if _ENDS.match(after):
        return "him" if word == "her" else "hers"
    behind = _NEXT.match(after)
    if behind is None or _BOTH.match(after):
        return None
    following, first = behind[1].lower(), not re.search(r"\w", before)
    if following in _NO_NOUN:
        return "him" if word == "her" and not first and not behind[2] else None
    if word == "his":
        return None if following == "bundle" else "her"
    owned = first or following in _OWN or following in nouns or _is_had(following, before)
    return "his" if owned else None


def _is_had(following: str, before: str) -> bool:
    last = _LAST.search(before)
    unsure = following in _UNSURE or not following.isalpha() or following.endswith(("ing", "ly"))
    return last is not None and last[1].lower() in _PREPOSITIONS and not unsure
