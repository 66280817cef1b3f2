"""The names at the package's front: there for people and editors, and nothing is imported before one is asked for."""

import subprocess
import sys

import pytest

import preceptor
from preceptor import interface

_LIGHT = """
import sys
import preceptor
assert {"Study", "Results", "new_study"} <= set(dir(preceptor))
assert preceptor.__version__
print(sorted({"torch", "transformers", "pandas", "numpy", "pydantic"} & set(sys.modules)))
"""


def test_importing_the_package_imports_no_library() -> None:
    done = subprocess.run([sys.executable, "-c", _LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_names_are_those_of_the_room() -> None:
    for name in ("Study", "Results", "new_study"):
        assert getattr(preceptor, name) is getattr(interface, name)
        assert name in preceptor.__all__


def test_another_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Verdict'"):
        _ = preceptor.Verdict  # type: ignore[attr-defined]
