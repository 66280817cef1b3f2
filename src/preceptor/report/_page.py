"""The report: what the run folder says, put into the template."""

from pathlib import Path

from preceptor.report import _numbers as numbers
from preceptor.report._limits import exploratory_note, limits, spiked_note, synthetic_note
from preceptor.report._makers import makers_of_tasks
from preceptor.report._methods import methods
from preceptor.report._published import CITATION, PUBLISHED
from preceptor.report._raters import raters_of_tasks
from preceptor.report._run import Run, read_run
from preceptor.report._small_counts import HIDDEN, SMALL
from preceptor.report._spike_figure import spike_figure
from preceptor.report._template import drawing, fill
from preceptor.report._tripod import checklist
from preceptor.report._values_figure import values_figure
from preceptor.report._views import flows, training_times, view
from preceptor.report._words import words
from preceptor.report._writing import write_page
from preceptor.study.results.schema import Results
from preceptor.study.spec.arms import GENERATE


def write_report(run_folder: Path, *, with_text: bool = False) -> Path:
    """Build `report.html` in a finished run folder, from its results, and return its path.

    One page that opens offline and runs no script. Without `with_text` it holds the text of no real case, and no count
    of fewer than five of them. `InputError` when the folder holds no results, or results no page can show.
    """
    page = render(read_run(run_folder), with_text=with_text)
    return write_page(run_folder / "report.html", page)


def render(run: Run, *, with_text: bool = False) -> str:
    """The page as HTML. Everything from the run is escaped; only our own drawings and style sheet are not."""
    results = run.results
    return fill(
        "report.html.j2",
        results,
        results=results,
        study=results.study,
        views=[view(run, place, with_text=with_text) for place in range(len(results.study.tasks))],
        values=drawing(values_figure("values", results)),
        facts=_facts(results),
        makers=makers_of_tasks(results, with_text=with_text),
        raters=raters_of_tasks(results, with_text=with_text),
        flow=flows(run, with_text=with_text),
        limits=limits(results),
        all_synthetic=all(task.synthetic for task in results.study.tasks),
        synthetic=synthetic_note(results),
        spiked=spiked_note(results),
        spikes=[
            (found, drawing(spike_figure(f"spike-{place}", results, found)))
            for place, found in enumerate(results.spikes)
        ],
        exploratory=exploratory_note(results),
        published=PUBLISHED if any(one.trained and one.answer == GENERATE for one in results.arms) else (),
        citation=CITATION,
        methods=methods(run),
        checklist=checklist(results),
        words=words(results),
        settings_text=run.settings_text,
        with_text=with_text,
        small=SMALL,
        hidden=HIDDEN,
    )


def _facts(results: Results) -> dict[str, str]:
    """What stands above everything else."""
    patients = sorted(task.counts.groups_test for task in results.study.tasks)
    looks = max((task.looks for task in results.study.tasks if task.looks), default=None)
    days = [day for task in results.study.tasks if task.dates for day in (task.dates.first, task.dates.last)]
    few, many = numbers.count(patients[0]), numbers.count(patients[-1])
    return {
        "dates": f"{min(days)} to {max(days)}" if days else "not recorded",
        "patients": few if patients[0] == patients[-1] else f"{few} to {many}, by task",
        "looks": "not recorded" if looks is None else "the first" if looks == 1 else f"number {looks}: not the first",
        "training": training_times(results, results.cells) or "none",
        "clinicians": _clinicians(results),
    }


_CLINICIANS_DID = {"gold": "labelling cases", "pairs": "voting on answers", "held_out": "scoring held-out answers"}


def _clinicians(results: Results) -> str:
    """How long clinicians worked on the page for this study, and at what."""
    spent = results.clinician_seconds
    said = [f"{numbers.duration(spent[what])} {doing}" for what, doing in _CLINICIANS_DID.items() if what in spent]
    return ", ".join(said) or "none on Preceptor's page"
