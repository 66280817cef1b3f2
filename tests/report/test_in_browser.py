"""The report and the comparison in a real browser: silent, asking for nothing, no wider than the screen, readable."""

from pathlib import Path
from typing import Any

import pytest

import run_folders
import tiny_study
from browser import NARROW, WIDE, OpenPage, goes_elsewhere
from preceptor.report import write_comparison, write_report
from run_folders import real_run, synthetic_run

pytestmark = pytest.mark.slow

HOSTILE = [
    "<script>alert(1)</script><img src=http://example.org/x onerror=alert(2)>",
    "</td></table></details><style>* {display: none}</style><iframe src=//example.org></iframe>",
    "\u202eright to left \u2066and back\u2069 \x07 \x1b[31mred {{ 7*7 }} %s ${x} &lt;b&gt;",
    "a" * 400,
]
"""What notes say; the last has nowhere to break."""

PAGES = ["synthetic", "closed", "with text", "comparison", "failed"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> dict[str, Path]:
    """A report of built-in cases; of hostile cases, without and with their text; two runs compared."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "hostile").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for label in tiny_study._SIGNS:
            patch.setitem(tiny_study._SIGNS, label, HOSTILE)
        patch.setattr(run_folders, "SECRET", " ".join(HOSTILE))
        hostile = real_run(folder / "hostile/run", tiny_source, seeds=(0,))
    synthetic = synthetic_run(folder / "synthetic/run", tiny_source)
    closed = write_report(hostile).rename(folder / "closed.html")
    return {
        "synthetic": write_report(synthetic),
        "failed": write_report(
            synthetic_run(
                folder / "failed/run",
                tiny_source,
                seeds=(0, 1),
                failed=[("triage_urgency", "sft+dpo", 0), *(("summarization", "sft", seed) for seed in (0, 1))],
            )
        ),
        "closed": closed,
        "with text": write_report(hostile, with_text=True),
        "comparison": write_comparison(hostile, hostile, folder / "comparison.html"),
    }


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_silent_fits_and_can_be_read_by_all(
    open_page: OpenPage, pages: dict[str, Path], name: str, width: int
) -> None:
    opened = open_page(pages[name].as_uri(), width=width)
    opened.unfold()
    assert opened.faults() == []
    assert opened.problems == []


@pytest.mark.parametrize(
    ("asked", "url", "leaves"),
    [
        ("http://127.0.0.1:8000/vote", "http://127.0.0.1:8000/", False),
        ("http://127.0.0.1:8001/vote", "http://127.0.0.1:8000/", True),
        ("https://example.org/font.woff2", "file:///tmp/report.html", True),
        ("file:///tmp/report.html#methods", "file:///tmp/report.html", False),
        ("file:///etc/passwd", "file:///tmp/report.html", True),
        ("data:image/png;base64,", "file:///tmp/report.html", False),
    ],
)
def test_where_a_request_goes(asked: str, url: str, leaves: bool) -> None:
    assert goes_elsewhere(asked, url) is leaves


def test_a_hostile_note_is_seen_as_it_was_written(open_page: OpenPage, pages: dict[str, Path]) -> None:
    closed, with_text = (open_page(pages[name].as_uri()) for name in ("closed", "with text"))
    closed.unfold()
    with_text.unfold()
    for text in HOSTILE[:2]:
        assert text not in closed.page.inner_text("body")
        assert text in with_text.page.inner_text("body")
    assert with_text.page.locator("script, iframe, img[src^=http]").count() == 0


def test_what_is_wrong_with_a_page_is_noticed(open_page: OpenPage, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    wide = "<div style='width: 2000px'>wide</div><img src='other.png'>"
    bad.write_text(f"<!doctype html><body style='margin: 0'>{wide}<script>alert('hello'); nothing()</script>")
    opened = open_page(bad.as_uri())
    faults, problems = " ".join(opened.faults()), " ".join(opened.problems)
    assert "2000 pixels wide where there are 1280" in faults
    assert "image-alt" in faults
    assert "dialog: hello" in problems
    assert "nothing is not defined" in problems
    assert "other.png" in problems
