"""What the held-out cases can show, said before anything is trained."""

from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from preceptor.evidence import find_metric, metric_title, power
from preceptor.study.cases import Prepared
from preceptor.study.results.schema import Power, Reachable, Smallest
from preceptor.study.spec.study import Study

_ASSUMED = (0.1, 0.2, 0.3)


def power_of(prepared: Prepared, study: Study, tasks: int) -> Power:
    """The `power` of a task in `results.json`, at the level that Holm asks of the first of all primary contrasts."""
    patients, margin = prepared.test_patients, prepared.entry.margin
    alpha = 0.05 / max(1, tasks * len(study.primary_contrasts))
    kind: Literal["discordance", "sd"] = "discordance" if find_metric(prepared.task.metric).fits == "labels" else "sd"
    smallest = power.smallest_difference if kind == "discordance" else power.smallest_mean_difference
    reachable = power.equivalence_reachable
    return Power(
        patients=patients,
        kind=kind,
        alpha=alpha,
        smallest=[Smallest(assumed=one, difference=smallest(patients, one, alpha=alpha)) for one in _ASSUMED],
        equivalence=[Reachable(assumed=one, reachable=reachable(patients, one, margin, kind)) for one in _ASSUMED]
        if margin
        else None,
    )


def show_power(study: Study, tasks: Sequence[Prepared], console: Console) -> None:
    """A line for each task, before anything is trained."""
    if not study.primary_contrasts:
        return
    table = Table(title="What the held-out cases can show (with 80% power)")
    table.add_column("output")
    table.add_column("patients", justify="right")
    table.add_column("smallest difference if arms\ndiffer on 10 / 20 / 30%", justify="center")
    table.add_column("equal within\nthe margin?", justify="center")
    for prepared in tasks:
        told = power_of(prepared, study, len(tasks))
        table.add_row(
            f"{escape(prepared.task.name)}\n[dim]{metric_title(prepared.task.metric)}[/dim]",
            str(told.patients),
            " / ".join(_number(one.difference) for one in told.smallest),
            _reachable(told, prepared.entry.margin),
        )
    console.print(table)
    console.print(
        "Labels: the share of patients, one case each, on whom one arm is right and the other wrong. Scores: the "
        "standard deviation of a patient's difference, 0.1 / 0.2 / 0.3. A dash: no difference can be shown.",
        highlight=False,
    )


def _number(difference: float | None) -> str:
    return "-" if difference is None or difference > 1 else f"{difference:.2f}"


def _reachable(told: Power, margin: float | None) -> str:
    if told.equivalence is None:
        return "no margin set"
    return " / ".join("yes" if one.reachable else "no" for one in told.equivalence) + f"\n[dim]{margin:g}[/dim]"
