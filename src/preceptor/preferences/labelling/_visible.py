"""Escaping for display: control and bidirectional characters are replaced by visible symbols.

Case text is untrusted: escape sequences, nulls and bidirectional overrides must neither change what a clinician reads
("5 mg" as "gm 5") nor be hidden.
"""

import re

_NAMES = {
    0x200E: "LRM", 0x200F: "RLM", 0x061C: "ALM",
    0x202A: "LRE", 0x202B: "RLE", 0x202C: "PDF", 0x202D: "LRO", 0x202E: "RLO",
    0x2066: "LRI", 0x2067: "RLI", 0x2068: "FSI", 0x2069: "PDI",
}  # fmt: skip
_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """`text` with line ends as `\\n`, and symbols for control and bidirectional characters and lone surrogates."""
    return _INVISIBLE.sub(_symbol, _LINE_ENDS.sub("\n", text))


def _symbol(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode's control pictures
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    if 0xD800 <= code <= 0xDFFF:
        return "\N{REPLACEMENT CHARACTER}"
    return f"[{_NAMES.get(code, f'U+{code:04X}')}]"
