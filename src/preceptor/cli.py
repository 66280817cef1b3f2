"""The front door: thin commands that put the rooms together. Heavy imports stand inside them."""

import errno
import io
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from preceptor import __version__
from preceptor.errors import InputError, PreceptorError

if TYPE_CHECKING:
    from preceptor.preferences.labelling import Door, Item, Store, Tls
    from preceptor.study import Study

app = typer.Typer(
    name="preceptor",
    help="Teach a language model clinical work by example and by preference, and measure which was worth it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_INTERRUPTED = 130
"""What a command ends with after Ctrl-C, as shells expect it."""

console = Console()
errors = Console(stderr=True)


def _version(asked: bool) -> None:
    if asked:
        console.print(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = (
        False
    ),
) -> None:
    pass


@app.command()
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Your table: JSONL, CSV, XLSX or Parquet.")],
    text: Annotated[list[str] | None, typer.Option(help="Column the model reads; repeat for several.")] = None,
    target: Annotated[str | None, typer.Option(help="Column of right answers.")] = None,
    group: Annotated[str | None, typer.Option(help="Column of the patient, or 'each row': all are others.")] = None,
    date: Annotated[str | None, typer.Option(help="Column with the date; the model does not read it.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the two files; default: the table's.")] = None,
    output_dir: Annotated[Path, typer.Option(help="Where to write them.")] = Path(),
    overwrite: Annotated[bool, typer.Option(help="Replace files of an earlier time.")] = False,
) -> None:
    """Write a task file and a study file for a table of your own. Asks for what no option says."""
    from preceptor._new import write_new
    from preceptor.data import EACH_ROW, inspect_table, read_table

    table = read_table(file)
    guess = inspect_table(table)
    if not text:
        text = _asked("Which columns does the model read (comma between)?", ",".join(guess.text)).split(",")
    target = target or _asked("Which column holds the right answer?", guess.label or "")
    group = group or _asked(f"Which column is the patient ('{EACH_ROW}': every row is another)?", guess.patient or "")
    date = date or _asked("Which column is the date, which the model does not read ('none')?", guess.date or "none")
    date = None if date == "none" else date
    files = write_new(
        table,
        output_dir,
        name or file.stem,
        text=[column.strip() for column in text if column.strip()],
        label=target,
        patient=group if group != EACH_ROW else None,
        date=date,
        each_row=group == EACH_ROW,
        overwrite=overwrite,
    )
    taken = {"text": ", ".join(text), "target": target, "group": group, "date, not read": date}
    for what, column in taken.items():
        console.print(f"{what}: {column or 'none'}", highlight=False, markup=False)
    console.print(f"Wrote {files.task} and {files.study}. Read them, then:", highlight=False, markup=False)
    console.print(f"  preceptor check {files.study}\n  preceptor study {files.study}", highlight=False, markup=False)


@app.command()
def check(
    what: Annotated[
        str, typer.Argument(metavar="STUDY|DATA", help="A study file, `quickstart`, or a data file with --task.")
    ],
    task: Annotated[str | None, typer.Option(help="Check a data file for this task (name or task file).")] = None,
    target: Annotated[str | None, typer.Option(help="With --task: column of right answers.")] = None,
    group: Annotated[str | None, typer.Option(help="With --task: column of the patient, or 'each row'.")] = None,
    model: Annotated[str | None, typer.Option(help="Model in place of the study's; a folder, hub id or name.")] = None,
    max_length: Annotated[int | None, typer.Option(help="With --task: longest prompt and answer, in tokens.")] = None,
) -> None:
    """Find what is wrong with a study or its data, before anything is trained."""
    from preceptor.models import EMBEDDED
    from preceptor.study import check_study, load_study, make_study

    if task is None:
        _refuse_without("--task", target=target, group=group, max_length=max_length)
        study, folder = load_study(what)
        study = _with_model(study, model)
    else:
        data = {"path": str(Path(what).resolve()), "target": target, "group": group}
        beside = str(Path(task).resolve()) if Path(task).is_file() else task
        settings: dict[str, Any] = {
            "name": "check",
            "model": model or EMBEDDED,
            "tasks": [{"task": beside, "data": data}],
        }
        settings |= {"max_length": max_length} if max_length else {}
        study, folder = make_study(settings, "preceptor check"), Path()
    check_study(study, folder, console)
    ready = "Ready to train." if task else f"Ready: preceptor study {_words(what, model)}"
    console.print(ready, highlight=False, markup=False)


@app.command()
def study(
    what: Annotated[str, typer.Argument(metavar="STUDY", help="A study file, or `quickstart`.")] = "quickstart",
    model: Annotated[str | None, typer.Option(help="Model in place of the study's; a folder, hub id or name.")] = None,
    output_dir: Annotated[
        Path | None, typer.Option(help="The run folder; default: runs/<name>, here; with --model runs/<name>-<model>.")
    ] = None,
) -> None:
    """Train and compare the study's arms on the same held-out patients. Continues where it was stopped."""
    from preceptor.report import write_cards, write_report
    from preceptor.study import load_study, run_study

    loaded, folder = load_study(what)
    loaded = _with_model(loaded, model)
    run_folder = output_dir or Path("runs") / (f"{loaded.name}-{Path(loaded.model).name}" if model else loaded.name)
    with _full_disk_named(run_folder):
        results = run_study(loaded, folder, run_folder, console, command=f"preceptor study {_words(what, model)}")
        report = write_report(run_folder)
        write_cards(run_folder)
    _show(results)
    console.print(f"\nReport: {report}", highlight=False, markup=False)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/quickstart.")],
    with_text: Annotated[bool, typer.Option("--with-text", help="Show case text and every count: patient data.")] = (
        False
    ),
) -> None:
    """Build a finished run's report.html again."""
    from preceptor.report import write_report
    from preceptor.study import refuse_old_results

    refuse_old_results(run)
    console.print(f"Report: {write_report(run, with_text=with_text)}", highlight=False, markup=False)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    b: Annotated[Path, typer.Argument(metavar="RUN", help="Another, with a task of the first.")],
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("comparison.html"),
) -> None:
    """Put two finished runs side by side on one page."""
    from preceptor.report import write_comparison
    from preceptor.study import refuse_old_results

    for run in (a, b):
        refuse_old_results(run)
    console.print(f"Comparison: {write_comparison(a, b, output)}", highlight=False, markup=False)


@app.command()
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A file of another tool, a label store (.sqlite) or a run folder.")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write: .jsonl, .csv or .xlsx.")],
    from_: Annotated[str | None, typer.Option("--from", help="Format of IN; default: found out.")] = None,
    to: Annotated[str | None, typer.Option(help="Format of OUT; default: by its ending, trl for .jsonl.")] = None,
    task: Annotated[str | None, typer.Option(help="Of a run folder: the task.")] = None,
    arm: Annotated[str | None, typer.Option(help="Of a run folder: the arm whose pairs are wanted.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of a run folder: the seed; default: the study's first.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUT.")] = False,
    data_leaves_this_machine: Annotated[
        bool, typer.Option("--data-leaves-this-machine", help="Allow a format that is made to be uploaded.")
    ] = False,
) -> None:
    """Turn pairs and right answers into another tool's file; says what that file cannot hold."""
    from preceptor.errors import Problem, printable
    from preceptor.preferences.interchange import Lost, read, write

    given = {"--task": task, "--arm": arm, "--seed": seed}
    if source.is_dir():
        from preceptor.study import rows_of_arm

        if task is None or arm is None:
            fix = "Say --task and --arm, such as --arm sft+dpo."
            raise InputError(Problem(str(source), "of a run folder, one arm's pairs can be written", fix))
        rows, unread = rows_of_arm(source, task, arm, seed), Lost()
    elif named := [name for name, value in given.items() if value is not None]:
        raise InputError(Problem(", ".join(named), "this only goes with a run folder", "Leave it out."))
    else:
        rows, unread = read(source, from_)
    unwritten = write(rows, target, to, overwrite=overwrite, data_leaves_this_machine=data_leaves_this_machine)
    for what, lost in (("Not read", unread), ("Not held by the new file", unwritten)):
        if lost:
            console.print(f"{what}:", highlight=False, markup=False)
            for line in str(lost).split("\n"):
                console.print(f"  {printable(line)}", highlight=False, markup=False)
    console.print(f"Wrote {target}: patient data, readable by you only.", highlight=False, markup=False)


@app.command()
def label(
    what: Annotated[str, typer.Argument(metavar="[STUDY]", help="A study file, or `quickstart`.")] = "quickstart",
    gold: Annotated[Path | None, typer.Option(help="A table to label without any model's answer, not a study.")] = None,
    task: Annotated[str | None, typer.Option(help="With --gold: the task (name or task file).")] = None,
    group: Annotated[str | None, typer.Option(help="With --gold: column of the patient, or 'each row'.")] = None,
    rater: Annotated[list[str] | None, typer.Option(help="Make this rater a new link; repeat for several.")] = None,
    cases: Annotated[int, typer.Option(min=1, help="At most so many cases, of a study for each task.")] = 40,
    votes: Annotated[int, typer.Option(min=1, help="How many raters judge each case.")] = 2,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Score two arms on held-out cases, which no pairs are made of.")
    ] = False,
    scores: Annotated[bool, typer.Option("--scores", help="Ask for points of training answers, too.")] = False,
    host: Annotated[str, typer.Option(help="Name of this machine for others to reach it; needs TLS.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0: any that is free.")] = 8765,
    certificate: Annotated[Path | None, typer.Option(help="PEM file of a certificate for --host.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of its key.")] = None,
    self_signed: Annotated[bool, typer.Option("--self-signed", help="Make a certificate on this machine.")] = False,
    output_dir: Annotated[
        Path | None, typer.Option(help="The run folder; default: runs/<name>. With --gold: where the labels lie.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write what there is and end: the round as .jsonl, gold labels as .csv.")
    ] = None,
) -> None:
    """Start the page on which clinicians say which answer is better. Goes on where it was stopped."""
    from preceptor.preferences.labelling import open_door, open_round, serve

    if gold is None:
        _refuse_without("--gold", task=task, group=group)
        store_path, title, make_items = _study_round(what, output_dir, cases=cases, held_out=held_out, scores=scores)
    else:
        _refuse_with_gold(**{"--held-out": held_out, "--scores": scores})
        store_path, title, make_items = _gold_round(gold, task, group, output_dir, cases)
    if export is not None:
        _export_round(store_path, export, task)
        return
    door = open_door(host, port, _tls(host, store_path, certificate, key, self_signed=self_signed))
    going_on = store_path.exists()
    with closing(open_round(store_path, make_items, title=title, votes_per_item=votes)) as store:
        _show_round(store, door, rater or [], going_on=going_on)
        serve(store, door)


@app.command()
def tasks(
    name: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="Show this task's file, to copy and change.")
    ] = None,
) -> None:
    """List the built-in clinical tasks, or show one."""
    from preceptor.tasks import builtin_tasks, load_task, task_file

    if name:
        load_task(name)
        typer.echo(task_file(name).read_text(encoding="utf-8"), nl=False)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("task", "metric", "question"):
        table.add_column(column)
    for each in map(load_task, builtin_tasks()):
        table.add_row(each.name, each.metric, each.question)
    console.print(table)


@app.command()
def models(
    action: Annotated[
        str | None, typer.Argument(metavar="[fetch]", help="`fetch` puts the embedded model into the cache.")
    ] = None,
) -> None:
    """List the models that need no hub, or fetch the embedded one."""
    from preceptor.errors import Problem
    from preceptor.models import fetch_embedded, list_models

    if action == "fetch":
        console.print(f"Ready: {fetch_embedded(errors)}", highlight=False, markup=False)
        return
    if action is not None:
        raise InputError(
            Problem(action, "there is no such action", "Say `preceptor models` or `preceptor models fetch`.")
        )
    for model in list_models():
        where = f"{model.size // 1_000_000} MB in {model.location}" if model.fetched else "not fetched yet"
        console.print(f"{model.name}  {model.title}  {where}", highlight=False, markup=False)
    console.print("Any other model: a local folder, or a hub id, named as `model:` in the study.", highlight=False)


def main() -> None:
    """Run a command; problems with the input end in exit code 2, our own faults in 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a sign shows another in its place
    try:
        app()
    except PreceptorError as error:
        errors.print(f"[red]error[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            errors.print("stopped; the same command continues from here")
        raise


def _asked(question: str, guess: str) -> str:
    """The user's answer; the guess where nobody can be asked."""
    return str(typer.prompt(question, default=guess or None)) if sys.stdin.isatty() else guess


def _with_model(study: "Study", model: str | None) -> "Study":
    """The study with another model. A folder is named from here, as commands do, and not from beside the study file."""
    from preceptor.models import EMBEDDED

    if model is None:
        return study
    folder = Path(model).expanduser()
    here = model != EMBEDDED and folder.is_dir()
    return study.model_copy(update={"model": str(folder.resolve()) if here else model})


def _words(what: str, model: str | None) -> str:
    """What `preceptor study` is to be told."""
    return f"{what} --model {model}" if model else what


def _study_round(
    what: str, output_dir: Path | None, *, cases: int, held_out: bool, scores: bool
) -> "tuple[Path, str, Callable[[], list[Item]]]":
    """Where a study's round lies, its title, and what makes its items."""
    from preceptor.study import items_to_label, load_study

    study, folder = load_study(what)
    run = output_dir or Path("runs") / study.name

    def make() -> "list[Item]":
        with _full_disk_named(run):
            return items_to_label(study, folder, run, console, cases=cases, held_out=held_out, scores=scores)

    return run / "labels" / ("held_out.sqlite" if held_out else "pairs.sqlite"), study.name, make


def _gold_round(
    data: Path, task: str | None, group: str | None, output_dir: Path | None, cases: int
) -> "tuple[Path, str, Callable[[], list[Item]]]":
    """The same of a table that is to be labelled."""
    from preceptor.errors import Problem
    from preceptor.study import gold_items

    if task is None or group is None:
        fix = "Say --task, such as --task triage_urgency, and --group, the column of the patient"
        raise InputError(Problem("--gold", "a table needs to know what is asked, and whose case is whose", fix))
    path = (output_dir or Path()) / f"{data.stem}.labels.sqlite"
    return path, data.stem, lambda: gold_items(data, task, group=group, cases=cases)


def _export_round(store_path: Path, file: Path, task: str | None) -> None:
    from preceptor.preferences import write_gold
    from preceptor.preferences.labelling import Store, export
    from preceptor.tasks import load_task

    if file.suffix == ".csv" and task is not None:
        found = write_gold(store_path, load_task(task), file)
        open_cases = len(found.in_dispute) + len(found.waiting)
        console.print(f"{len(found.rows)} gold labels; {open_cases} cases are still open.", highlight=False)
    else:
        export(Store.open(store_path), file)
    console.print(f"Wrote {file}: patient data, readable by you only.", highlight=False, markup=False)


def _tls(host: str, store_path: Path, certificate: Path | None, key: Path | None, *, self_signed: bool) -> "Tls | None":
    from preceptor.errors import Problem
    from preceptor.preferences import labelling

    if (certificate is None) != (key is None) or (self_signed and certificate is not None):
        fix = "Give --certificate and --key, or --self-signed"
        raise InputError(Problem("--certificate, --key, --self-signed", "these do not go together", fix))
    if self_signed:
        return labelling.self_signed(host, store_path.with_suffix(".tls"))
    return labelling.Tls(certificate, key) if certificate and key else None


def _show_round(store: "Store", door: "Door", names: list[str], *, going_on: bool) -> None:
    """The links, and how to end. Links are shown this once: of a token, the store keeps a hash."""
    from preceptor.preferences.labelling import make_links

    about, links = store.about, make_links(store, names)
    started = "The round goes on, with the cases and votes it began with" if going_on else "A new round"
    said = [f"{started}: {len(store.items())} cases, each for {about['votes_per_item']} raters. Store: {store.path}"]
    if links:
        said += ["Links, shown this once. Who has a link judges in its owner's name:"]
        said += [f"  {link.name}: {door.url}/r/{link.token}" for link in links]
    known = [rater.name for rater in store.raters() if rater.name not in [link.name for link in links]]
    if known:
        said += [f"Links from before still hold: {', '.join(known)}. `--rater NAME` makes a new one."]
    if door.tls:
        said += [f"The certificate's SHA-256, to compare with what a browser shows: {door.tls.fingerprint()}"]
    said += ["Ctrl-C ends the page; the same command goes on."]
    for line in said:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _refuse_with_gold(**given: bool) -> None:
    from preceptor.errors import Problem

    if named := [name for name, value in given.items() if value]:
        raise InputError(Problem(", ".join(named), "with --gold there are no answers to compare", "Leave it out."))


def _refuse_without(option: str, **options: object) -> None:
    from preceptor.errors import Problem

    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        what = f"a study file says this itself; the option only goes with {option}"
        raise InputError(Problem(", ".join(given), what, "Leave it out, or change the study file."))


@contextmanager
def _full_disk_named(folder: Path) -> Iterator[None]:
    """Turn the many faces of a full disk into one message; libraries wrap the error in types of their own."""
    from preceptor.errors import Problem

    try:
        yield
    except PreceptorError:
        raise
    except Exception as error:
        told = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if not told and shutil.disk_usage(_nearest(folder)).free > 1_000_000:
            raise
        fix = "Free some space; the same command then continues where it stopped."
        raise InputError(Problem(str(folder), "the disk is full", fix)) from error


def _nearest(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _show(results: dict[str, Any]) -> None:
    """Each output with its arms, what follows, and how often the test sets were looked at."""
    from preceptor.evidence import arm_title, metric_title
    from preceptor.study import ordinal

    study = results["study"]
    table = Table(title=f"{escape(study['name'])}: held-out results of {escape(study['model']['title'])}")
    table.add_column("output")
    table.add_column("arm")
    table.add_column("value")
    table.add_column("95% interval")
    for task in study["tasks"]:
        what = f"{task['name']}\n[dim]{metric_title(task['metric'])}, {task['counts']['test']} cases[/dim]"
        if task["majority"] is not None:
            table.add_row(what, arm_title("majority"), f"{task['majority']:.2f}", "")
            what = ""
        for cell in (cell for cell in results["cells"] if cell["task"] == task["name"]):
            seed = f" [dim]seed {cell['seed']}[/dim]" if len(study["seeds"]) > 1 else ""
            table.add_row(what, arm_title(cell["arm"]) + seed, f"{cell['value']:.2f}", _interval(cell))
            what = ""
        table.add_section()
    console.print(table)
    for one in results["conclusions"]:
        console.print(f"\n[bold]{escape(one['recommendation'])}[/bold]  {escape(one['sentence'])}", highlight=False)
        for warning in one["warnings"]:
            console.print(f"  - {escape(warning)}", highlight=False)
    if any(task["synthetic"] for task in study["tasks"]):
        console.print("\nThe built-in cases are synthetic; no clinician has reviewed them.")
    again = [f"{ordinal(task['looks'])} look at the test set of {task['name']}" for task in study["tasks"]]
    console.print(f"\nThis was the {escape(', the '.join(again))}.", highlight=False)
    if results["design"]["changed"]:
        console.print("The design was changed after predictions had been made.")
    if results["exploratory"]:
        console.print(
            "[bold]So these results are exploratory: what they suggest is to be confirmed on new cases.[/bold]"
        )


def _interval(cell: dict[str, Any]) -> str:
    low, high = cell["ci"]
    return "" if low is None else f"{low:.2f} - {high:.2f}"
