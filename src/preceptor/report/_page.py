"""The page: what the run folder says, put into the template."""

import base64
import hashlib
from pathlib import Path

import jinja2
from markupsafe import Markup

from preceptor.evidence import metric_title
from preceptor.files import write_atomic
from preceptor.report import _numbers as numbers
from preceptor.report._figures import arm_label, arms_figure, costs_figure
from preceptor.report._limits import limits, synthetic_note
from preceptor.report._read import Cell, Run, read_run

_VERDICT_MARKS = {"better": "▲", "worse": "▼", "equivalent": "=", "inconclusive": "?"}
_SHADES = 9


def write_report(run_folder: Path) -> Path:
    """Build `report.html` in a finished run folder, from its `results.json`, and return its path.

    One page that opens offline and runs no script; it never holds the text of a case. `InputError` when the folder
    holds no results, or results the page cannot read.
    """
    page = render(read_run(run_folder))
    path = run_folder / "report.html"
    write_atomic(path, page)
    return path


def render(run: Run) -> str:
    """The page as HTML. Everything from the run is escaped; only our own drawings and style sheet are not."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("preceptor.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "value": numbers.value,
        "gain": numbers.gain,
        "interval": numbers.interval,
        "percent": numbers.percent,
        "p_value": numbers.p_value,
        "count": numbers.count,
        "compact": numbers.compact,
        "duration": numbers.duration,
        "moment": numbers.moment,
        "arm": arm_label,
        "metric": metric_title,
    }
    css = environment.loader.get_source(environment, "page.css")[0] if environment.loader else ""
    return environment.get_template("page.html.j2").render(
        run=run,
        css=Markup(css),  # noqa: S704 (a file of this package)
        css_hash=_csp_hash(css),
        figures=[_figures(place, run) for place in range(len(run.tasks))],
        titles={task.name: task.title for task in run.tasks},
        limits=limits(run),
        synthetic_note=synthetic_note(run),
        marks=_VERDICT_MARKS,
        shade=shade,
    )


def shade(cell: Cell, row: int, column: int) -> str:
    """CSS class of one entry of a confusion matrix: s0 to s8 by its share of the gold label's cases."""
    total = sum(cell.confusion[row])
    return f"s{round((_SHADES - 1) * cell.confusion[row][column] / total)}" if total else "s0"


def _figures(place: int, run: Run) -> tuple[Markup, Markup]:
    """The two figures of one task; the task's place, not its name, makes their ids."""
    task = run.tasks[place]
    drawn = arms_figure(f"arms-{place}", task, run.arms), costs_figure(f"costs-{place}", task, run.arms)
    return Markup(drawn[0]), Markup(drawn[1])  # noqa: S704 (our own drawing, its words escaped)


def _csp_hash(text: str) -> str:
    """What a content policy calls `text`, so that this style sheet and no other is allowed."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
