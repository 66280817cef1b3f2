"""The study file: read, checked, and every problem of it told."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from preceptor.errors import InputError, Problem, invalid_entries
from preceptor.files import why_no_path
from preceptor.strict_yaml import line_of, load_yaml, where_and_why
from preceptor.study.spec.overrides import Override, override
from preceptor.study.spec.setting_blocks import study_class
from preceptor.study.spec.study import Study

_BUILTIN = Path(__file__).parents[1] / "builtin"


def builtin_studies() -> list[str]:
    """The studies that need no file."""
    return sorted(path.stem for path in _BUILTIN.glob("*.yaml"))


def load_study(name_or_path: str, given: Sequence[str] = ()) -> tuple[Study, Path]:
    """A study and the folder its paths are relative to. Raises `InputError` with every problem of the file.

    given: settings in place of the file's, `sft.epochs=2` each.
    """
    path = _BUILTIN / f"{name_or_path}.yaml" if name_or_path in builtin_studies() else Path(name_or_path)
    if why := why_no_path(name_or_path):
        raise InputError(Problem(str(path), why, "Name a study file, or a built-in study."))
    try:
        text = path.read_text(encoding="utf-8")
        raw, repeated = load_yaml(text, yaml.SafeLoader)
    except FileNotFoundError as error:
        known = ", ".join(builtin_studies())
        fix = f"Name a study file, or a built-in study: {known}. `preceptor new FILE` writes one for your data."
        raise InputError(Problem(str(path), "there is no such study file", fix)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(str(path), "it cannot be read as UTF-8 text", "Name a YAML file.")) from error
    except yaml.YAMLError as error:
        where, why = where_and_why(path, error)
        raise InputError(Problem(where, f"it is not valid YAML: {why}", "Correct it.")) from error
    if repeated:
        what = "the setting `{}` stands here a second time, and only one of the two can hold"
        raise InputError([Problem(f"{path}, line {line}", what.format(key), "Take one out.") for line, key in repeated])
    if not isinstance(raw, dict):
        raise InputError(Problem(str(path), "it is not a study", "Start from one that `preceptor examples` lists."))
    raw, overrides = override(raw, given)
    return _validated(raw, partial(_where, path, text, overrides)), path.parent


def make_study(raw: dict[str, Any], where: str) -> Study:
    """A study from its settings. Raises `InputError` with every problem; `where` says where the settings stand."""
    return _validated(raw, lambda place, what: f"{where}, {place or 'top level'}")


def _validated(raw: dict[str, Any], where: Callable[[str, str], str]) -> Study:
    """The study; `where` names the place of a problem, given the setting ("" for the whole study) and what is wrong."""
    try:
        return study_class().model_validate(raw)
    except ValidationError as error:
        found = invalid_entries(error, "setting")
        raise InputError([Problem(where(place, what), what, f"{fix}.") for place, what, fix in found]) from error


def _where(path: Path, text: str, overrides: Sequence[Override], place: str, what: str) -> str:
    """How a message names a setting: what was given by its key, what the file says by its line."""
    said = f"{place}.{what.replace(': ', '.')}".removeprefix(".")  # what is wrong begins with what within it is
    if inner := next((one for one in reversed(overrides) if one.stands_at(said)), None):
        return ", ".join([f"--set {inner.key}", *([place] if place not in ("", inner.place) else [])])
    line = line_of(text, said)
    setting = place or said.partition(".")[0]
    beside = [f"with --set {one.key}" for one in overrides if one.stands_within(setting)]
    return ", ".join([str(path), *([f"line {line}"] if line else []), place or "top level", *beside])
