"""The study file: read, checked, and every problem of it told."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from preceptor.errors import InputError, Problem, invalid_entries
from preceptor.strict_yaml import load_yaml, where_and_why
from preceptor.study.spec.setting_blocks import study_class
from preceptor.study.spec.study import Study

_BUILTIN = Path(__file__).parents[1] / "builtin"


def builtin_studies() -> list[str]:
    """The studies that need no file."""
    return sorted(path.stem for path in _BUILTIN.glob("*.yaml"))


def load_study(name_or_path: str) -> tuple[Study, Path]:
    """A study and the folder its paths are relative to. Raises `InputError` with every problem of the file."""
    path = _BUILTIN / f"{name_or_path}.yaml" if name_or_path in builtin_studies() else Path(name_or_path)
    try:
        raw, repeated = load_yaml(path.read_text(encoding="utf-8"), yaml.SafeLoader)
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
    return make_study(raw, str(path)), path.parent


def make_study(raw: dict[str, Any], where: str) -> Study:
    """A study from its settings. Raises `InputError` with every problem; `where` says where the settings stand."""
    try:
        return study_class().model_validate(raw)
    except ValidationError as error:
        found = invalid_entries(error, "setting")
        problems = [Problem(f"{where}, {place or 'top level'}", what, f"{fix}.") for place, what, fix in found]
        raise InputError(problems) from error
