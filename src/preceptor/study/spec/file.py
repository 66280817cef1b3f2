"""The study file: read, checked, and every problem of it told."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from preceptor.errors import InputError, Problem
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
        raw = yaml.load(path.read_text(encoding="utf-8"), _OnceLoader)  # noqa: S506 - a SafeLoader
    except FileNotFoundError as error:
        known = ", ".join(builtin_studies())
        fix = f"Name a study file, or a built-in study: {known}. `preceptor new FILE` writes one for your data."
        raise InputError(Problem(str(path), "there is no such study file", fix)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(Problem(str(path), "it cannot be read as UTF-8 text", "Name a YAML file.")) from error
    except _TwiceError as error:
        what = f"the setting `{error.key}` stands here a second time, and only one of the two can hold"
        raise InputError(Problem(f"{path}, line {error.line}", what, "Take one out.")) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that no calendar has
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise InputError(Problem(f"{path}, line {line}", "it is not valid YAML", "Mend this line.")) from error
    if not isinstance(raw, dict):
        raise InputError(Problem(str(path), "it is not a study", "Start from a file in examples/."))
    return make_study(raw, str(path)), path.parent


def make_study(raw: dict[str, Any], where: str) -> Study:
    """A study from its settings. Raises `InputError` with every problem; `where` says where the settings stand."""
    try:
        return study_class().model_validate(raw)
    except ValidationError as error:
        raise InputError([_problem(where, one) for one in error.errors()]) from error


class _TwiceError(Exception):
    def __init__(self, key: str, line: int) -> None:
        self.key, self.line = key, line


class _OnceLoader(yaml.SafeLoader):
    """YAML's own loader would take the last of two settings of one name and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise _TwiceError(key.value, key.start_mark.line + 1)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def _problem(source: str, error: Any) -> Problem:
    where = f"{source}, {'.'.join(map(str, error['loc'])) or 'top level'}"
    if error["type"] == "extra_forbidden":
        return Problem(where, "there is no such setting", "Check the spelling, or take it out.")
    if error["type"] == "missing":
        return Problem(where, "this setting is missing", "Add it.")
    return Problem(where, error["msg"].removeprefix("Value error, "), "Change it.")
