"""What the container's user, who is not root, writes to is theirs; no image is built here."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[1] / "Containerfile").read_text().replace("\\\n", " ")
SET = dict(one.split("=", 1) for line in re.findall(r"^ENV (.*)$", TEXT, re.MULTILINE) for one in line.split())
OF_LIBRARIES = ("HOME", "XDG_DATA_HOME", "HF_HOME", "MPLCONFIGDIR")
"""Where Preceptor and its libraries write beside the folder of the study."""


def test_it_runs_as_a_user_who_owns_nothing_in_the_image() -> None:
    last, before = re.findall(r"^USER (.*)$", TEXT, re.MULTILINE)[-1], TEXT.index("USER ")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last)
    assert "RUN " not in TEXT[before:]


def test_what_is_written_lies_on_the_volume_or_in_tmp() -> None:
    roots = {name: Path(SET[name]).parts[1] for name in OF_LIBRARIES}
    assert set(roots.values()) <= {"study", "tmp"}
    assert re.search(r"^WORKDIR /study$", TEXT, re.MULTILINE)


def test_the_models_are_put_where_they_are_looked_for() -> None:
    """The cache stays what it was when the models were fetched: nobody may write to it, and they are found in it."""
    assert len(re.findall(r"XDG_CACHE_HOME=", TEXT)) == 1
    assert TEXT.index("XDG_CACHE_HOME=") < TEXT.index("models fetch")
    assert SET["XDG_CACHE_HOME"].startswith("/opt/")
