"""The JSON files of a model's folder."""

import json
from pathlib import Path
from typing import Any

from preceptor.errors import InputError, Problem


def read_json(path: Path) -> dict[str, Any]:
    """The object in `path`; empty when there is no such file. Raises `InputError` when it holds no JSON object."""
    if not path.is_file():
        return {}
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**value}
    except (ValueError, TypeError) as error:
        raise InputError(Problem(str(path), "it is not valid JSON", "Copy the file again.")) from error
