"""YAML in which duplicate keys are found: PyYAML itself silently keeps the last."""

from collections.abc import Iterator
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"


def load_yaml(
    text: str, loader_class: type[yaml.SafeLoader] | type[yaml.BaseLoader]
) -> tuple[Any, list[tuple[int, str]]]:
    """The document in `text`, and the line (from 1) and name of each duplicate key of any mapping.

    loader_class: `BaseLoader` leaves every scalar a string. Raises `yaml.YAMLError`, and `ValueError` for an impossible
    date.
    """
    loader = loader_class(text)
    node = loader.get_single_node()
    repeated = sorted(_repeated(node, set()))  # before the constructor expands merge keys (`<<`)
    return (None if node is None else loader.construct_document(node)), repeated


def _repeated(node: yaml.Node | None, visited: set[int]) -> Iterator[tuple[int, str]]:
    if not isinstance(node, yaml.CollectionNode) or id(node) in visited:  # visited: an alias
        return
    visited.add(id(node))
    seen = set()
    for item in node.value:
        key, value = item if isinstance(item, tuple) else (None, item)
        if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
            if (key.tag, key.value) in seen:
                yield key.start_mark.line + 1, key.value
            seen.add((key.tag, key.value))
        yield from _repeated(value, visited)
