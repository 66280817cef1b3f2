"""What the files of a new study are written with: scalars of YAML, words, spellings of a label."""

import json
import re
from collections.abc import Sequence

import yaml

from preceptor._schema import SchemaOf
from preceptor.tasks import composed, plain


def scalar(text: str) -> str:
    """A YAML scalar: plain if that parses back to the same text, else double-quoted."""
    bare = re.fullmatch(r"[^\W\d_][\w ./+-]*", text) and text == text.strip()
    if bare and yaml.safe_load(text) == text:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def words(name: str) -> str:
    """A column's name as words."""
    return " ".join(re.sub(r"[\W_]+", " ", name).split()).lower() or name


def by_spelling(values: Sequence[str]) -> dict[str, str]:
    """What spellings of a label have in common -> the first: case, white space and Unicode normal form are none."""
    first: dict[str, str] = {}
    for value in values:
        first.setdefault(plain(value), composed(value.strip()))
    return first


def schema_file(of: SchemaOf) -> str:
    """Where editors find a schema: beside the files, so that both can be moved together and no network is asked."""
    return f".preceptor/{of}.schema.json"


def editor_line(of: SchemaOf) -> str:
    """By this comment editors that speak with the YAML language server complete keys and mark mistakes."""
    return f"# yaml-language-server: $schema={schema_file(of)}"
