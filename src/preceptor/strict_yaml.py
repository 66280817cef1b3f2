"""YAML in which duplicate keys are found: PyYAML itself silently keeps the last."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"
_INT = "tag:yaml.org,2002:int"
_LONGEST_NUMBER = 100
_DEEPEST = 100
"""Lists and mappings within each other; with thousands, PyYAML takes seconds to find that these are too many."""
_TOO_DEEP = "lists or mappings are nested too deeply"
_UNREADABLE = {
    _INT: "this is no number",
    "tag:yaml.org,2002:float": "this is no number",
    "tag:yaml.org,2002:timestamp": "there is no such date",
}
"""What is said of a scalar that looks like a number or a date and is none."""


def load_yaml(
    text: str, loader_class: type[yaml.SafeLoader] | type[yaml.BaseLoader]
) -> tuple[Any, list[tuple[int, str]]]:
    """The document in `text`, and the line (from 1) and name of each duplicate key of any mapping.

    loader_class: `BaseLoader` leaves every scalar a string. Raises `yaml.YAMLError`, with the line where it is known:
    that of an impossible date, none where the document is nested too deeply.
    """
    _check_depth(text, loader_class)
    loader = loader_class(text)
    try:
        node = loader.get_single_node()
        nodes = list(_nodes(node, set()))
        mappings = (one for one in nodes if isinstance(one, yaml.MappingNode))
        repeated = sorted(key for one in mappings for key in _repeated(one))  # before merge keys (`<<`) are expanded
        for scalar in (one for one in nodes if isinstance(one, yaml.ScalarNode)):
            _check_value(loader, scalar)
        return (None if node is None else loader.construct_document(node)), repeated
    except RecursionError:
        raise yaml.MarkedYAMLError(problem=_TOO_DEEP) from None


def _check_depth(text: str, loader_class: type[yaml.SafeLoader] | type[yaml.BaseLoader]) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=loader_class):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem=_TOO_DEEP)


def where_and_why(path: Path, error: yaml.YAMLError) -> tuple[str, str]:
    """The file with the line, if that is known, and what is wrong there."""
    mark = getattr(error, "problem_mark", None)
    why = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return (f"{path}, line {mark.line + 1}" if mark else str(path)), why


def setting_in(path: Path, text: str, place: str) -> str:
    """How messages name a setting of the file `path` with this `text`: `study.yaml, line 3, sft.epochs`.

    Without the line where nothing of `place` stands in the file, as a setting that is missing.
    """
    line = line_of(text, place)
    return f"{path}, line {line}, {place}" if line else f"{path}, {place}"


def line_of(text: str, place: str) -> int | None:
    """The line (from 1) of the setting at `place`, such as `tasks.0.margin`, else of what is around it, else None.

    An element of a list is named by its number, or by itself where it is a text. Parts of `place` that name nothing in
    `text` are passed over: a validator also names the alternative that it tried.
    """
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), None
    while place:
        if found := _child(node, place):
            node, line, place = found
        else:
            place = place.partition(".")[2]
    return line


def _child(node: yaml.Node | None, place: str) -> tuple[yaml.Node, int, str] | None:
    """The child of `node` that `place` begins with, its line, and what is left of `place`; keys may hold dots."""
    if isinstance(node, yaml.MappingNode):
        keys = [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode) and key.value]
        for key, value in sorted(keys, key=lambda pair: len(pair[0].value), reverse=True):
            if f"{place}.".startswith(f"{key.value}."):
                return value, key.start_mark.line + 1, place[len(key.value) + 1 :]
    if isinstance(node, yaml.SequenceNode):
        first, _, rest = place.partition(".")
        named = [item for item in node.value if isinstance(item, yaml.ScalarNode) and _begins_with(place, item.value)]
        numbered = node.value[int(first)] if first.isdecimal() and int(first) < len(node.value) else None
        item = numbered or max(named, key=lambda one: len(one.value), default=None)
        return (item, item.start_mark.line + 1, rest) if item else None
    return None


def _begins_with(place: str, name: str) -> bool:
    """Whether `place` begins with `name` as a whole, and not with a longer one, as `sft+dpo` is than `sft`."""
    return re.match(rf"{re.escape(name)}(?![\w+@-])", place) is not None


def _check_value(loader: yaml.SafeLoader | yaml.BaseLoader, scalar: yaml.ScalarNode) -> None:
    """Raise, with its line, for a number or a date that cannot be read: PyYAML's own error has none."""
    mark = scalar.start_mark
    if scalar.tag == _INT and len(scalar.value) > _LONGEST_NUMBER:
        raise yaml.MarkedYAMLError(problem="this number is too long", problem_mark=mark)
    if scalar.tag in _UNREADABLE:
        try:
            loader.construct_object(scalar)
        except (ValueError, AttributeError):  # AttributeError: of a text that is tagged `!!timestamp`
            raise yaml.MarkedYAMLError(problem=_UNREADABLE[scalar.tag], problem_mark=mark) from None


def _nodes(node: yaml.Node | None, visited: set[int]) -> Iterator[yaml.Node]:
    """Every node once: an alias is the same node again."""
    if node is None or id(node) in visited:
        return
    visited.add(id(node))
    yield node
    if isinstance(node, yaml.CollectionNode):
        for item in node.value:
            for one in item if isinstance(item, tuple) else (item,):
                yield from _nodes(one, visited)


def _repeated(mapping: yaml.MappingNode) -> Iterator[tuple[int, str]]:
    seen = set()
    for key, _ in mapping.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
            if (key.tag, key.value) in seen:
                yield key.start_mark.line + 1, key.value
            seen.add((key.tag, key.value))
