"""What a study shows when it ends."""

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from preceptor.errors import printable
from preceptor.evidence import metric_title
from preceptor.study import ordinal
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.schema import Results


def escape(text: str) -> str:
    """A name or a sentence from the results, which obeys neither our markup nor a terminal."""
    return escape_markup(printable(text))


def show_results(results: Results, console: Console) -> None:
    """Each output with its arms, what failed, what follows, and how often the test sets were looked at."""
    study = results.study
    title = f"{escape(study.name)}: held-out results of {escape(study.model.title)}"
    table = Table("output", "arm", "value", "95% interval", title=title)
    for task in study.tasks:
        what = f"{escape(task.name)}\n[dim]{metric_title(task.metric)}, {task.counts.test} cases[/dim]"
        if task.majority is not None:
            table.add_row(what, "the majority answer", f"{task.majority:.2f}", "")
            what = ""
        for cell in (cell for cell in results.cells if cell.task == task.name):
            seed = f" [dim]seed {cell.seed}[/dim]" if len(study.seeds) > 1 else ""
            table.add_row(what, escape(results.arm(cell.arm).phrase) + seed, f"{cell.value:.2f}", _interval(cell))
            what = ""
        for one in (one for one in results.failed if one.task == task.name):
            seed = f" [dim]seed {one.seed}[/dim]" if len(study.seeds) > 1 else ""
            table.add_row(what, escape(results.arm(one.arm).phrase) + seed, "failed", f"in {one.stage}")
            what = ""
        table.add_section()
    console.print(table)
    _show_failed(results, console)
    for without in results.left_out:
        said = f"{results.arm(without.arm).phrase} is left out of {without.task}: {without.reason}."
        console.print(escape(said), highlight=False)
    for spike in results.spikes:
        said = (
            f"{escape(spike.learned)} {escape(spike.held)} [bold]{escape(spike.sentence)}[/bold] {escape(spike.scope)}"
        )
        console.print(f"\n{said}", highlight=False)
    for found in results.conclusions:
        console.print(f"\n[bold]{escape(found.recommendation)}[/bold]  {escape(found.sentence)}", highlight=False)
        for warning in found.warnings:
            console.print(f"  - {escape(warning)}", highlight=False)
    if any(task.synthetic for task in study.tasks):
        console.print("\nThe built-in cases are synthetic; no clinician has reviewed them.")
    looks = [f"{ordinal(task.looks)} look at the test set of {task.name}" for task in study.tasks if task.looks]
    if looks:
        console.print(f"\nThis was the {escape(', the '.join(looks))}.", highlight=False)
    if results.design and results.design.changed:
        console.print("The design was changed after predictions had been made.")
    if results.exploratory:
        console.print(
            "[bold]So these results are exploratory: what they suggest is to be confirmed on new cases.[/bold]"
        )


def _show_failed(results: Results, console: Console) -> None:
    """Why each cell failed and what to do, said once for all that failed alike."""
    cells: dict[tuple[str, str], list[str]] = {}
    for one in results.failed:
        cell = f"{one.task}, {results.arm(one.arm).phrase}, seed {one.seed} (in {one.stage})"
        cells.setdefault((one.reason, one.fix), []).append(cell)
    if cells:
        console.print("\n[bold red]Failed[/bold red]; everything else is finished. The same command tries these again:")
    for (reason, fix), some in cells.items():
        console.print(f"  - {escape('; '.join(some))}: {escape(reason)}. {escape(fix)}", highlight=False)
    for missing in results.not_compared:
        if missing.family == "primary":
            console.print(f"  - {escape(missing.sentence)}", highlight=False)


def _interval(cell: Cell) -> str:
    low, high = cell.ci or (None, None)
    return "" if low is None or high is None else f"{low:.2f} - {high:.2f}"
