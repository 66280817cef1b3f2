"""How optional packages are asked for: by their own names, never by ours, which anybody may register at an index."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from preceptor.extras import install_command

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
OUR_NAME = re.compile(
    r"(?<![\w./-])preceptor\[(?=\w)"  # with an extra
    r"|\bpip3? (?:install|download|wheel)\b[^`\n]*?[ '\"]preceptor(?![\w/-]|\.\w)"
)
PLACES = ("src/**/*.*", "docs/*.md", "bundle/*", "examples/*", ".ci/*", "*.*", "Makefile", "Containerfile")


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"dev"}))
def test_the_command_names_what_an_extra_adds_with_its_versions(extra: str) -> None:
    pip, install, *packages = shlex.split(install_command(extra))
    assert (pip, install) == ("pip", "install")
    assert sorted(packages) == sorted(one.replace("_", "-") for one in EXTRAS[extra])  # as metadata spell names


def test_nothing_we_write_has_pip_ask_an_index_for_our_name() -> None:
    files = {path for place in PLACES for path in ROOT.glob(place) if path.is_file() and path.suffix != ".png"}
    assert len(files) > 300
    found = {path: OUR_NAME.findall(path.read_text(encoding="utf-8")) for path in sorted(files)}
    assert {path: matches for path, matches in found.items() if matches} == {}


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("pip install preceptor", True),
        ("pip install 'preceptor[label]'", True),
        ("pip download -d x preceptor==0.1.0", True),
        ('"preceptor[ray]",', True),
        ("pip install -e '.[label]'", False),
        ("pip install ./preceptor-0.1.0-py3-none-any.whl", False),
        ("pip install './preceptor-0.1.0-py3-none-any.whl[label]'", False),
        ("pip install preceptor-0.1.0-py3-none-any.whl", False),
        ("pip install -c constraints.txt wheels/preceptor-*.whl", False),
        ("pip install x\npreceptor new", False),
    ],
)
def test_what_would_ask_for_our_name_is_recognised(line: str, asks: bool) -> None:
    assert bool(OUR_NAME.search(line)) == asks
