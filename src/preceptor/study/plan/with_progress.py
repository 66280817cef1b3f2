"""A plan for people who wait for it: with a bar while this machine is measured."""

from contextlib import nullcontext
from pathlib import Path
from tempfile import gettempdir

from rich.console import Console

from preceptor.engine import MEASUREMENTS
from preceptor.full_disk import explain_full_disk
from preceptor.progress import progress, quiet
from preceptor.study.plan.machine import Machine
from preceptor.study.plan.requirements import Plan, Planned, plan_study, planned_at_work


def plan_with_progress(planned: Planned, machine: Machine, console: Console) -> Plan:
    """What `plan_study` says, while a bar on `console` counts what is measured. Raises `InputError` on a full disk."""
    measured, count = machine.tflops is None, MEASUREMENTS * len(planned_at_work(planned, machine))
    measuring = progress("Measuring this machine", count, console) if measured else nullcontext(quiet)
    with measuring as advance, explain_full_disk(Path(gettempdir())):  # a checkpoint is written there
        return plan_study(planned, machine, advance=advance)
