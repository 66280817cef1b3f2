"""`--set KEY=VALUE`: settings that are given beside a study file, as if they stood in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from preceptor.errors import InputError, Problem
from preceptor.strict_yaml import load_yaml, where_and_why


@dataclass(frozen=True, slots=True)
class Override:
    """A setting that was given. key: as it was written. place: where it stands in the study, elements by number."""

    key: str
    place: str
    value: Any

    def stands_at(self, place: str) -> bool:
        """Whether an error at `place` is within what was given; places also name the alternatives that were tried."""
        return _leads_to(self.place, place)

    def stands_within(self, place: str) -> bool:
        """Whether what was given is a part of what an error at `place` is about."""
        return _leads_to(place, self.place)


def override(raw: dict[str, Any], given: Sequence[str]) -> tuple[dict[str, Any], list[Override]]:
    """The settings of a study file with those of `given` in their places, in order; and what was given, taken apart.

    given: `sft.epochs=2` each, its value in YAML. An element of a list is named by its number, one of `tasks` also by
    its task. Raises `InputError` with every problem of their form; whether there is such a setting, the study says.
    """
    overrides: list[Override] = []
    problems: list[Problem] = []
    for one in given:
        try:
            key, value = _taken_apart(one)
            path = _path(raw, key)
        except InputError as error:
            problems += error.problems
            continue
        raw = _with(raw, path, value)
        overrides.append(Override(key, ".".join(map(str, path)), value))
    if problems:
        raise InputError(problems)
    return raw, overrides


def _taken_apart(given: str) -> tuple[str, Any]:
    key, is_given, text = given.partition("=")
    where = f"--set {key}"
    if not is_given or not all(key.split(".")):
        raise InputError(Problem(where, "it is not KEY=VALUE", "Say it as in --set sft.epochs=2."))
    try:
        value, repeated = load_yaml(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        _, why = where_and_why(Path(key), error)
        raise InputError(Problem(where, f"its value is not valid YAML: {why}", "Correct it.")) from None
    if repeated:
        names = ", ".join(f"`{name}`" for _, name in repeated)
        raise InputError(Problem(where, f"{names} stands there a second time", "Take one out."))
    return key, value


def _path(raw: Any, key: str) -> list[str | int]:
    """Where `key` leads: names within mappings, numbers within lists. What is not there yet may be any name."""
    path: list[str | int] = []
    for part in key.split("."):
        if isinstance(raw, list):
            path.append(_number(raw, part, key))
            raw = raw[_number(raw, part, key)]
        elif raw is None or isinstance(raw, dict):
            name = next((one for one in raw or {} if str(one) == part), part)  # YAML may have read a number
            path.append(name)
            raw = (raw or {}).get(name)
        else:
            within = ".".join(map(str, path))
            what = f"`{within}` is a value in the study file, and no settings stand in it"
            raise InputError(Problem(f"--set {key}", what, f"Set `{within}` itself."))
    return path


def _number(elements: list[Any], part: str, key: str) -> int:
    """Which element of a list `part` names: its number, or its task."""
    if part.isdecimal() and int(part) < len(elements):
        return int(part)
    tasks = [_task(element) for element in elements]
    if part in tasks:
        return tasks.index(part)
    named = [task for task in tasks if task]
    fix = f"Name it by its number, from 0 to {len(elements) - 1}{', or its task: ' if named else ''}{', '.join(named)}."
    raise InputError(Problem(f"--set {key}", f"there is no element `{part}` in this list of {len(elements)}", fix))


def _task(element: Any) -> str:
    """The task of an entry of `tasks`, a file without its endings; empty where it is no such entry."""
    task = element.get("task") if isinstance(element, dict) else None
    return Path(task).name.removesuffix(".yaml").removesuffix(".task") if isinstance(task, str) else ""


def _with(raw: Any, path: Sequence[str | int], value: Any) -> Any:
    """`raw` with `value` at `path`. What lies on the way is copied: YAML's aliases may have put it elsewhere too."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(raw, list):
        return [_with(one, rest, value) if number == first else one for number, one in enumerate(raw)]
    return {**(raw or {}), first: _with((raw or {}).get(first), rest, value)}


def _leads_to(outer: str, inner: str) -> bool:
    """Whether every part of `outer` stands in `inner`, in order, from the first on."""
    first, *others = outer.split(".")
    head, *parts = inner.split(".")
    left = iter(parts)
    return first == head and all(part in left for part in others)
