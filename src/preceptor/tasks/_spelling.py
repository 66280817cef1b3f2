"""Spellings that are one label: letters with their marks as one code point or several, capitals, spaces."""

import unicodedata


def composed(text: str) -> str:
    """The text with each letter and its marks as one code point where there is one (Unicode NFC).

    Files from macOS, PDFs and some databases hold an `é` as two code points (NFD), which looks the same.
    """
    return unicodedata.normalize("NFC", text)


def plain(label: str) -> str:
    """What all spellings of a label have in common: `composed`, without capitals, one space between words."""
    return " ".join(composed(label).casefold().split())
