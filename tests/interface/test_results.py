"""Results from Python: the numbers of `results.json`, the checks of `preceptor report`, and what a notebook shows."""

import base64
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from command_line import CommandLine
from html_page import Page
from preceptor import Results
from preceptor.errors import InputError
from run_folders import real_run, synthetic_run

EVIL = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> Path:
    """A run of two seeds on a table of one's own; what it was made from, nobody wrote down."""
    root = real_run(tmp_path_factory.mktemp("results") / "run", tiny_source)
    return root


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return Results.load(folder)


@pytest.fixture(scope="module")
def written(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return read


def change(folder: Path, written: dict[str, Any], **changes: Any) -> None:
    (folder / "results.json").write_text(json.dumps(written | changes))


def test_the_frame_has_a_row_for_each_cell(results: Results, written: dict[str, Any]) -> None:
    frame = results.to_frame()
    assert len(frame) == len(written["cells"]) == 12
    for row, cell in zip(frame.to_dict("records"), written["cells"], strict=True):
        same = ("task", "model", "arm", "seed", "metric", "value", "n", "patients", "invalid_rate")
        assert {name: row[name] for name in same} == {name: cell[name] for name in same}
        assert [row["low"], row["high"]] == cell["ci"]
        assert (row["training_seconds"] == cell["cost"]["seconds"]) or (cell["cost"]["seconds"] is None)
    assert frame["n"].dtype == int
    assert frame.groupby("arm")["value"].mean()["sft"] > frame.groupby("arm")["value"].mean()["base"]


def test_pandas_is_imported_for_the_frame_only() -> None:
    module = sys.modules["preceptor.interface.results"]
    assert not any(name in vars(module) for name in ("pd", "pandas"))


def test_the_verdicts_are_the_contrasts_primary_ones_first(results: Results, written: dict[str, Any]) -> None:
    assert len(results.verdicts) == len(written["contrasts"])
    families = [one.family for one in results.verdicts]
    assert families == sorted(families, key=lambda family: family != "primary")
    first = results.verdicts[0]
    (same,) = (one for one in written["contrasts"] if (one["a"], one["b"]) == (first.a, first.b))
    assert [first.delta, first.verdict, first.p_adjusted] == [same["delta"], same["verdict"], same["p_adjusted"]]
    assert list(first.ci or ()) == same["ci"]
    assert first.sentence == same["sentence"]
    assert [one.sentence for one in results.conclusions] == [one["sentence"] for one in written["conclusions"]]


def test_text_is_what_the_command_shows(results: Results, written: dict[str, Any]) -> None:
    shown = " ".join(str(results).split())
    assert repr(results) == str(results)
    assert "held-out results of" in shown
    assert all(" ".join(one["sentence"].split()) in shown for one in written["conclusions"])
    assert "\x1b" not in shown


def test_a_notebook_shows_the_figure_and_what_was_found(results: Results, written: dict[str, Any]) -> None:
    page = Page(results._repr_html_())
    assert {tag for tag, _ in page.elements} <= {"div", "p", "strong", "img"}
    ((_, image),) = (one for one in page.elements if one[0] == "img")
    kind, _, drawn = str(image["src"]).partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert ElementTree.fromstring(base64.b64decode(drawn)).tag.endswith("}svg")
    assert "SFT, 0 0." in str(image["alt"])
    assert all(one["sentence"] in page.text for one in written["conclusions"])
    assert all(one["recommendation"] in page.text for one in written["conclusions"])


def test_names_in_a_notebook_are_text(folder: Path, written: dict[str, Any], tmp_path: Path) -> None:
    copy = tmp_path / "run"
    copy.mkdir()
    for file in folder.rglob("*.jsonl"):
        (copy / file.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        (copy / file.relative_to(folder)).write_bytes(file.read_bytes())
    model = written["study"]["model"] | {"title": EVIL}
    change(copy, written, study=written["study"] | {"model": model}, made_from={})
    shown = Results.load(copy)._repr_html_()
    assert EVIL not in shown
    assert EVIL in Page(shown).text


def test_what_failed_is_said_first(tmp_path: Path, tiny_source: Any) -> None:
    lost = [("triage_urgency", "sft+dpo", 0)]
    results = Results.load(synthetic_run(tmp_path / "run", tiny_source, failed=lost))
    assert [(one.task, one.arm, one.seed) for one in results.failed] == lost
    text = Page(results._repr_html_()).text
    places = [
        text.index(what) for what in ("results are missing", "no longer a number", results.conclusions[0].sentence)
    ]
    assert places == sorted(places)
    assert text.startswith("synthetic : held-out results of tiny The cases are synthetic")
    assert len(results.to_frame()) == len(results.record.cells)


@pytest.mark.parametrize("what", ["missing", "changed", "contradicting"])
def test_what_the_report_refuses_is_refused(
    what: str, folder: Path, written: dict[str, Any], tmp_path: Path, preceptor: CommandLine
) -> None:
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("study.yaml", "preflight.json"):
        (copy / name).write_bytes((folder / name).read_bytes())
    if what == "changed":
        change(copy, written, made_from={"study.yaml": "0" * 64})
    if what == "contradicting":
        change(copy, written, made_from={}, cells=[written["cells"][0] | {"value": 0.123}, *written["cells"][1:]])
    with pytest.raises(InputError) as refused:
        Results.load(copy)
    assert " ".join(f"error {refused.value}".split()) == preceptor.run("report", copy).errors
