"""Extraction of facts from an answer with elements, normalised so that different spellings compare equal."""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

_MILLIGRAMS = {"g": Decimal(1000), "mg": Decimal(1), "mcg": Decimal("0.001")}

_SYNONYMS = [
    (r"(?:µg|μg|ug|micrograms?)", "mcg"),
    (r"milligrams?", "mg"),
    (r"grams?", "g"),
    (r"millilitres?|milliliters?", "ml"),
    (
        r"o\.d\.|od|qd|q24h|once a day|once per day|every day|once daily|(?<!once )(?<!twice )(?<!times )daily",
        "once daily",
    ),
    (r"b\.i\.d\.|b\.d\.|bd|bid|q12h|twice a day|two times a day|two times daily|twice per day", "twice daily"),
    (r"t\.d\.s\.|t\.i\.d\.|tds|tid|q8h|three times a day|three times per day", "three times daily"),
    (r"q\.d\.s\.|q\.i\.d\.|qds|qid|q6h|four times a day|four times per day", "four times daily"),
    (r"nocte|nightly|every night|at bedtime|qhs", "at night"),
    (r"p\.o\.|po|by mouth|orally", "oral"),
    (r"i\.v\.|iv|intravenously", "intravenous"),
    (r"rt|right-sided", "right"),
    (r"lt|left-sided", "left"),
]
_PATTERNS = [(re.compile(rf"(?<!\w)(?:{words})(?!\w)"), plain) for words, plain in _SYNONYMS]
_NONE = re.compile(
    r"none|nil|no|nothing|n/a|not applicable|-+|none known|nil known|nkda|nka|no known (?:drug )?allerg(?:y|ies)"
)


def find_facts(text: str, elements: Sequence[str]) -> frozenset[str]:
    """The normalised `element=value` pairs of the lines "Element: value; value" whose element is one of `elements`."""
    names = {_plain(element): _plain(element) for element in elements}
    facts = set()
    for line in text.splitlines():
        head, colon, values = line.replace("*", "").partition(":")
        element = names.get(_plain(head.lstrip(" \t-#•")))
        if colon and element:
            facts |= {f"{element}={value}" for part in values.split(";") if (value := normalise(part))}
    return frozenset(facts)


def normalise(value: str) -> str:
    """Normalise a value: case, white space, number format, dose unit (in mg), frequency, route, and "none"."""
    plain = _plain(value).strip(" .,")
    if not plain:
        return ""
    if _NONE.fullmatch(plain):
        return "none"
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", plain)
    plain = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)(?=[a-zµμ%])", r"\1 ", plain)
    for pattern, replacement in _PATTERNS:
        plain = pattern.sub(replacement, plain)
    plain = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?) (g|mg|mcg)(?![\w/])", _in_milligrams, plain)
    plain = re.sub(r"(?<![\w.])\d+\.\d+(?![\w.])", lambda hit: _number(Decimal(hit[0])), plain)
    return " ".join(plain.replace(",", " ").split())


def _in_milligrams(hit: re.Match[str]) -> str:
    return f"{_number(Decimal(hit[1]) * _MILLIGRAMS[hit[2]])} mg"


def _number(value: Decimal) -> str:
    return format(value.normalize(), "f")


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
