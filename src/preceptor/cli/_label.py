"""`preceptor label`: the annotation page for clinicians."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from preceptor.cli._completion import studies
from preceptor.cli._say import console, refuse_options, require_option, say
from preceptor.errors import InputError, Problem
from preceptor.full_disk import explain_full_disk

if TYPE_CHECKING:
    from preceptor.preferences.labelling import Item, Store
    from preceptor.web.door import Listener
    from preceptor.web.tls import Tls


def label(
    what: Annotated[
        str, typer.Argument(metavar="[STUDY]", help="A study file, or `quickstart`.", autocompletion=studies)
    ] = "quickstart",
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
        Path | None,
        typer.Option(help="Write what there is and end: the round as .jsonl, its votes or gold labels as .csv."),
    ] = None,
) -> None:
    """Start the page on which clinicians say which answer is better. Goes on where it was stopped."""
    from preceptor.preferences.labelling import open_round, serve
    from preceptor.web.door import open_door, require_packages

    if gold is None:
        require_option("--gold", task=task, group=group)
        store_path, title, make_items = _study_round(what, output_dir, cases=cases, held_out=held_out, scores=scores)
    else:
        refuse_options("with --gold there are no answers to compare", "Leave it out.", held_out=held_out, scores=scores)
        store_path, title, make_items = _gold_round(gold, task, group, output_dir, cases)
    if export is not None:
        _export_round(store_path, export, task)
        return
    require_packages("label")
    door = open_door(host, port, _tls(host, store_path, certificate, key, self_signed=self_signed))
    resumed = store_path.exists()
    with closing(open_round(store_path, make_items, title=title, votes_per_item=votes)) as store:
        _show_round(store, door, rater or [], resumed=resumed)
        serve(store, door)


def _study_round(
    what: str, output_dir: Path | None, *, cases: int, held_out: bool, scores: bool
) -> "tuple[Path, str, Callable[[], list[Item]]]":
    """Store path, title and item factory of a study's round."""
    from preceptor.study import items_to_label, load_study

    study, folder = load_study(what)
    run = output_dir or Path("runs") / study.name

    def make() -> "list[Item]":
        with explain_full_disk(run):
            return items_to_label(study, folder, run, console, cases=cases, held_out=held_out, scores=scores)

    return run / "labels" / ("held_out.sqlite" if held_out else "pairs.sqlite"), study.name, make


def _gold_round(
    data: Path, task: str | None, group: str | None, output_dir: Path | None, cases: int
) -> "tuple[Path, str, Callable[[], list[Item]]]":
    """Store path, title and item factory of a table to label."""
    from preceptor.study import gold_items

    if task is None or group is None:
        fix = "Say --task, such as --task triage_urgency, and --group, the column of the patient"
        raise InputError(Problem("--gold", "a table needs to know what is asked, and whose case is whose", fix))
    path = (output_dir or Path()) / f"{data.stem}.labels.sqlite"
    return path, data.stem, lambda: gold_items(data, task, group=group, cases=cases)


def _export_round(store_path: Path, file: Path, task: str | None) -> None:
    from preceptor.preferences import write_gold, write_votes
    from preceptor.preferences.labelling import Store, export
    from preceptor.tasks import load_task

    if file.suffix not in (".csv", ".jsonl"):
        raise InputError(Problem("--export", f"{file} is neither .jsonl nor .csv", "End the name with one of them"))
    if file.exists():
        raise InputError(Problem("--export", f"{file} exists, and is not overwritten", "Name another file"))
    if file.suffix == ".jsonl":
        with closing(Store.open(store_path)) as store:
            export(store, file)
    elif task is not None:
        found = write_gold(store_path, load_task(task), file)
        open_cases = len(found.disputed) + len(found.incomplete)
        console.print(f"{len(found.rows)} gold labels; {open_cases} cases are still open.", highlight=False)
    else:
        console.print(f"{write_votes(store_path, file)} votes.", highlight=False)
    say(f"Wrote {file}: patient data, readable by you only.")


def _tls(host: str, store_path: Path, certificate: Path | None, key: Path | None, *, self_signed: bool) -> "Tls | None":
    from preceptor.web import tls

    if (certificate is None) != (key is None) or (self_signed and certificate is not None):
        fix = "Give --certificate and --key, or --self-signed"
        raise InputError(Problem("--certificate, --key, --self-signed", "these do not go together", fix))
    if self_signed:
        return tls.self_signed(host, store_path.with_suffix(".tls"))
    return tls.Tls(certificate, key) if certificate and key else None


def _show_round(store: "Store", door: "Listener", names: list[str], *, resumed: bool) -> None:
    """Print the links, which cannot be shown again: the store keeps only hashes of their tokens."""
    from preceptor.preferences.labelling import make_links

    votes, links = store.metadata["votes_per_item"], make_links(store, names)
    started = "The round goes on, with the cases and votes it began with" if resumed else "A new round"
    lines = [f"{started}: {len(store.items())} cases, each for {votes} raters. Store: {store.path}"]
    if links:
        lines += ["Links, shown this once. Who has a link judges in its owner's name:"]
        lines += [f"  {link.name}: {door.url}/r/{link.token}" for link in links]
    known = [rater.name for rater in store.raters() if rater.name not in [link.name for link in links]]
    if known:
        lines += [f"Links from before still hold: {', '.join(known)}. `--rater NAME` makes a new one."]
    if door.tls:
        lines += [f"The certificate's SHA-256, to compare with what a browser shows: {door.tls.fingerprint()}"]
    lines += ["Ctrl-C ends the page; the same command goes on."]
    say(*lines)
