"""Loading and validating task files: every problem is reported at once, with file, line and key."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from preceptor.errors import InputError, Problem, invalid_entries
from preceptor.strict_yaml import load_yaml, setting_in, where_and_why
from preceptor.tasks._generators import generators
from preceptor.tasks._label_sets import parse_label_set
from preceptor.tasks._parse import parse_label
from preceptor.tasks._spelling import composed, plain
from preceptor.tasks._task import PLACEHOLDER, SEPARATOR, Task

_BUILTIN = Path(__file__).parent / "builtin"
_AS_GIVEN = "as_given"
_PARSERS = {"label": ("label", "final_answer"), "labels": ("labels",), "text": ("text", "elements")}
_SEE = "docs/TASKS.md lists the keys"
_At = Callable[[str], str]
"""A key, such as `answer.labels` -> how messages name it."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def builtin_tasks() -> list[str]:
    """The names of the built-in clinical tasks (`as_given`, for data with finished chat turns, is not clinical)."""
    return sorted(path.stem for path in _BUILTIN.glob("*.yaml") if path.stem != _AS_GIVEN)


def task_file(name_or_path: str | Path) -> Path:
    """The YAML file of a built-in or user-defined task; InputError if it does not exist."""
    path = _BUILTIN / f"{name_or_path}.yaml"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        names = ", ".join([*builtin_tasks(), _AS_GIVEN])
        raise InputError(
            Problem(f"task {str(name_or_path)!r}", "is neither a built-in task nor a file", f"Built in are: {names}")
        )
    return path


def load_task(name_or_path: str | Path) -> Task:
    """The built-in task of that name, or the task in that YAML file; InputError lists every problem of the file."""
    path = task_file(name_or_path)
    raw, text, repeated = _read(path)
    at = partial(setting_in, path, text)
    problems = [*repeated, *_schema(at, raw), *_inconsistencies(at, raw)] or list(_control_chars(at, raw))
    if problems:
        raise InputError(problems)
    return Task.model_validate(raw)


def _read(path: Path) -> tuple[dict[str, Any], str, list[Problem]]:
    """The file's keys, its text, and the keys that stand there twice."""
    try:
        text = composed(path.read_text(encoding="utf-8"))
        # Every scalar as text, so that a label `no` or `1` stays what was written.
        raw, twice = load_yaml(text, yaml.BaseLoader)
    except UnicodeDecodeError:
        raise InputError(Problem(str(path), "is not UTF-8 text", "Save it as UTF-8")) from None
    except yaml.YAMLError as error:
        where, why = where_and_why(path, error)
        raise InputError(Problem(where, f"is not YAML: {why}", "Correct it")) from None
    if not isinstance(raw, dict):
        raise InputError(Problem(str(path), "holds no keys", f"Write `key: value` lines; {_SEE}"))
    for key in ("cut", "cases", "evidence"):
        if raw.get(key) in ("", "null", "~"):
            del raw[key]
    repeated = [Problem(f"{path}, line {line}", f"{key!r} stands there twice", "Keep one") for line, key in twice]
    return raw, text, repeated


def _control_chars(at: _At, raw: Any, where: str = "") -> Iterator[Problem]:
    """Control characters in keys and values, which figures and terminals cannot show."""
    if isinstance(raw, str):
        if match := _CONTROL.search(raw):
            what = f"holds the control character U+{ord(match.group()):04X}"
            yield Problem(at(_CONTROL.sub("?", where)), what, "Remove it")
    elif isinstance(raw, Mapping):
        for key, value in raw.items():
            yield from _control_chars(at, str(key), where or "a key")
            yield from _control_chars(at, value, f"{where}.{key}".removeprefix("."))
    elif isinstance(raw, list):
        for value in raw:
            yield from _control_chars(at, value, where)


def _schema(at: _At, raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Missing or unknown keys and values of the wrong type."""
    try:
        Task.model_validate(raw)
    except ValidationError as error:
        for place, what, fix in invalid_entries(error, "key"):
            yield Problem(at(place), what, f"{fix}; {_SEE}")


def _inconsistencies(at: _At, raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Inconsistent keys. Tolerates missing ones, so that they hide no other problem."""
    answer = _mapping(raw.get("answer"))
    yield from _field_problems(at, raw)
    if answer.get("kind") in _PARSERS:
        yield from _answer_problems(at, answer)
        yield from _also_problems(at, raw, _mapping(answer.get("labels")))
    cases = raw.get("cases")
    if isinstance(cases, str) and cases not in generators():
        yield Problem(at("cases"), f"there are no built-in cases {cases!r}", f"Choose of {_list(generators())}")


def _field_problems(at: _At, raw: Mapping[str, Any]) -> Iterator[Problem]:
    fields = _mapping(raw.get("fields"))
    for name in dict.fromkeys(PLACEHOLDER.findall(str(raw.get("prompt", "")))):
        if name not in fields:
            yield Problem(at("prompt"), f"{{{name}}} is not a field", f"Fields are {_list(fields)}")
    for key in ("cut", "evidence"):
        if key in raw and raw[key] not in fields:
            fix = f"Add it to `fields`, or name one of {_list(fields)}"
            yield Problem(at(key), f"{raw[key]!r} is not a field", fix)
    if f"{{{raw.get('evidence')}}}" in str(raw.get("prompt", "")):
        yield Problem(at("evidence"), "the prompt shows it, and with it the answer", "Take it out of the prompt")


def _answer_problems(at: _At, answer: Mapping[str, Any]) -> Iterator[Problem]:
    kind = answer["kind"]
    parser = answer.get("parser", kind)
    if parser not in _PARSERS[kind]:
        yield Problem(at("answer.parser"), f"{parser!r} reads no {kind}", f"Choose of {_list(_PARSERS[kind])}")
    labels = [plain(str(label)) for label in _mapping(answer.get("labels"))]
    if kind in ("label", "labels") and len(labels) < 2:
        fix = "Name every label that may be answered" + "; one yes or no is kind: label" * (kind == "labels")
        yield Problem(at("answer.labels"), "fewer than two labels", fix)
    if kind == "text" and labels:
        yield Problem(at("answer.labels"), "a text answer has no labels", "Remove them, or set kind: label")
    if "" in labels:
        yield Problem(at("answer.labels"), "a label is empty", "Give it a name")
    duplicates = sorted({label for label in labels if labels.count(label) > 1})
    for label in duplicates:
        yield Problem(at("answer.labels"), f"{label!r} differs only in case or space", "Keep one")
    if kind == "label" and not duplicates and "" not in labels:
        yield from _unreadable_labels(at, list(_mapping(answer.get("labels"))))
    yield from _set_problems(at, answer, labels)
    if parser == "elements" and not _mapping(answer.get("elements")):
        yield Problem(at("answer.elements"), "no element is named", "Name each as `element: what it holds`")
    if parser == "final_answer" and answer.get("marker") == "":
        yield Problem(at("answer.marker"), "is empty", "Write what stands before the answer, such as `Answer:`")


def _set_problems(at: _At, answer: Mapping[str, Any], labels: list[str]) -> Iterator[Problem]:
    """The keys of answers of several labels: each label must be read back, alone and from a set."""
    if answer["kind"] != "labels":
        for key in ("separator", "empty"):
            if key in answer:
                yield Problem(at(f"answer.{key}"), "has no meaning here", "Remove it, or set kind: labels")
        return
    separator, empty = str(answer.get("separator", SEPARATOR)), answer.get("empty")
    if not separator:
        yield Problem(at("answer.separator"), "is empty", 'Write what stands between two labels, such as "; "')
        return
    names = [str(label) for label in _mapping(answer.get("labels"))]
    for name in names:
        if "" not in labels and parse_label_set(name, names, separator, None) != frozenset([name]):
            fix = f"Use no {separator!r}, * or ` in it, and begin and end it with a letter or digit"
            yield Problem(at("answer.labels"), f"no answer can be read as {name!r}", fix)
    if empty is not None and parse_label_set(str(empty), names, separator, str(empty)) != frozenset():
        fix = "Take a word that is no label, such as `none`"
        yield Problem(at("answer.empty"), f"{empty!r} cannot be read as the empty set", fix)
    elif empty is not None and plain(str(empty)) in labels:
        yield Problem(at("answer.empty"), f"{empty!r} is a label", "Take a word that is no label, such as `none`")


def _unreadable_labels(at: _At, labels: list[str]) -> Iterator[Problem]:
    """Labels that the parser cannot read back, because it strips markdown and leading punctuation."""
    for label in labels:
        if parse_label(label, labels) != label:
            fix = "Begin it with a letter or digit and use no * or `, such as `over 10` for `>10`"
            yield Problem(at("answer.labels"), f"no answer can be read as {label!r}", fix)


def _also_problems(at: _At, raw: Mapping[str, Any], labels: Mapping[str, Any]) -> Iterator[Problem]:
    """Whether a metric is known and fits the answer, a study says: a task only names it."""
    also = raw.get("also") if isinstance(raw.get("also"), list) else []
    extras = [item if isinstance(item, Mapping) else {"metric": item} for item in also or []]
    names = [str(item["metric"]) for item in extras if "metric" in item]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Problem(at("also"), f"{name!r} is named twice", "Keep one")
    if _mapping(raw.get("answer")).get("kind") == "text":
        return  # beside a metric of texts stand phrases
    for label in (label for item in extras for label in item.get("labels") or [] if label not in labels):
        yield Problem(at("also"), f"{label!r} is not a label", "Use a label of answer.labels")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"
