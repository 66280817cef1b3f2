"""A text as its sentences, by rules that are simple enough to be told."""

import re

_END = re.compile(r"[.!?]+[\"'\u201d\u2019)\]]*\s+|\s*\n\s*")
_ABBREVIATION = re.compile(
    r"(?:^|[^\w.])(?:mr|mrs|ms|dr|prof|st|vs|approx|pt|tel|resp|incl|[^\W\d_])\.\s+\Z", re.IGNORECASE
)
_DOTTED = re.compile(r"(?:^|\W)(?:[^\W\d_]\.){2,}\s+\Z")


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the white space behind it; joined, they are the text.

    A sentence ends with a line, or with one of .!? (and perhaps a closing quote or bracket) before white space. The
    full stop of a title (Mr., Dr.), of a few other abbreviations, of a single letter (J. Smith) and of letters parted
    by full stops (p.o., i.e.) ends none.
    """
    found, start = list[str](), 0
    for end in _END.finditer(text):
        sentence = text[start : end.end()]
        line_ends = "\n" in end[0]
        if sentence.strip() and (line_ends or not (_ABBREVIATION.search(sentence) or _DOTTED.search(sentence))):
            found.append(sentence)
            start = end.end()
    return [*found, text[start:]] if start < len(text) else found
