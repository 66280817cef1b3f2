"""What the held-out cases can show, said before anything is trained."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from preceptor.evidence import fewest_for_margin, find_metric, metric_title, number, power
from preceptor.study.cases import Prepared
from preceptor.study.results.cells import dangerous_labels
from preceptor.study.results.task_schema import Power, Reachable, Smallest
from preceptor.study.score import gold_label
from preceptor.study.spec.study import Study

_ASSUMED = (0.1, 0.2, 0.3)
_POWER = 0.8


def power_of(prepared: Prepared, study: Study, tasks: int) -> Power:
    """The `power` of a task in `results.json`.

    One primary contrast is found first at the level .05 over all of them, all those of a task at once at .05 over the
    tasks. That all are found has 80% power at least where a contrast has 1 - .2 / k, k contrasts.
    """
    patients, margin, contrasts = prepared.test_patients, prepared.entry.margin, len(study.primary_contrasts)
    alpha = 0.05 / max(1, tasks * contrasts)
    metric = find_metric(prepared.task.metric)
    kind: Literal["discordance", "sd"] = "discordance" if metric.fits == "labels" or metric.hits else "sd"
    smallest = power.smallest_difference if kind == "discordance" else power.smallest_mean_difference
    reachable = power.equivalence_reachable
    of_all = partial(smallest, alpha=0.05 / tasks, power=1 - (1 - _POWER) / max(1, contrasts))
    return Power(
        patients=patients,
        kind=kind,
        alpha=alpha,
        smallest=[Smallest(assumed=one, difference=smallest(patients, one, alpha=alpha)) for one in _ASSUMED],
        together=[Smallest(assumed=one, difference=of_all(patients, one)) for one in _ASSUMED if contrasts > 1],
        equivalence=[Reachable(assumed=one, reachable=reachable(patients, one, margin, kind)) for one in _ASSUMED]
        if margin
        else None,
    )


def show_power(study: Study, tasks: Sequence[Prepared], console: Console) -> None:
    """A line for each task, before anything is trained, and what its cases cannot show at all."""
    if not study.primary_contrasts:
        return
    table = Table(title="What the held-out cases can show (with 80% power)")
    table.add_column("output")
    table.add_column("patients", justify="right")
    table.add_column("smallest difference if arms\ndiffer on 10 / 20 / 30%", justify="center")
    table.add_column("equal within\nthe margin?", justify="center")
    blind = []
    for prepared in tasks:
        told = power_of(prepared, study, len(tasks))
        table.add_row(
            f"{escape(prepared.task.name)}\n[dim]{metric_title(prepared.task.metric)}[/dim]",
            str(told.patients),
            _numbers(told.smallest) + (f"\n[dim]all: {_numbers(told.together)}[/dim]" if told.together else ""),
            _reachable(told, prepared.entry.margin),
        )
        blind += [f"{prepared.task.name}: {line}" for line in _cannot_show(prepared, told)]
    console.print(table)
    several = " All: every primary contrast of the output at once, as a stage that is worth it needs."
    console.print(
        "Labels: the share of patients, one case each, on whom one arm is right and the other wrong. Scores: the "
        "standard deviation of a patient's difference, 0.1 / 0.2 / 0.3. A dash: no difference can be shown."
        f"{several if len(study.primary_contrasts) > 1 else ''} What chance in training adds is not known before it.",
        highlight=False,
    )
    for line in blind:
        console.print(f"[bold]Too few:[/bold] {escape(line)}", highlight=False)


def _cannot_show(prepared: Prepared, told: Power) -> Iterator[str]:
    """What these cases will not tell, whatever arms differ by within the table, and what of dangerous ones."""
    margin, task = prepared.entry.margin, prepared.task
    differences = [one.difference for one in told.together or told.smallest]
    least = min((one for one in differences if one is not None and one <= 1), default=None)
    if margin is not None and (least is None or least > margin):
        shown = "no difference at all" if least is None else f"none below {number(least, beside=margin)}"
        differ = "on 10 to 30% of patients" if told.kind == "discordance" else "with an sd of 0.1 to 0.3"
        why = f"{shown} would be found, if arms differ {differ}"
        yield f"this study cannot see a difference of the margin, {number(margin, beside=margin)}: {why}"
    labels, allowed = dangerous_labels(prepared), prepared.entry.sensitivity_margin
    fewest = fewest_for_margin(allowed)
    if labels and len({one.group for one in prepared.splits.test if gold_label(task, one) in labels}) < fewest:
        yield (
            f"fewer than {fewest} held-out patients have {' or '.join(labels)}: that an arm misses no more of these, "
            f"to within a sensitivity of {number(allowed, beside=allowed)}, can be shown only where it "
            "finds more of them"
        )


def _numbers(smallest: Sequence[Smallest]) -> str:
    found = (one.difference for one in smallest)
    return " / ".join("-" if one is None or one > 1 else f"{one:.2f}" for one in found)


def _reachable(told: Power, margin: float | None) -> str:
    if told.equivalence is None:
        return "no margin set"
    return " / ".join("yes" if one.reachable else "no" for one in told.equivalence) + f"\n[dim]{margin:g}[/dim]"
