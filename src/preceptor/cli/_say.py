"""Console output and helpers shared by commands."""

from rich.console import Console

from preceptor.errors import InputError, Problem, without_steering

console = Console()
errors = Console(stderr=True)


def say(*lines: str) -> None:
    """Print lines without markup, highlighting or wrapping, so that paths and commands can be copied."""
    for line in lines:
        console.print(without_steering(line), highlight=False, markup=False, soft_wrap=True)


def require_option(option: str, **options: object) -> None:
    """Raises `InputError` when options were given that only go with `option`."""
    what = f"a study file says this itself; the option only goes with {option}"
    refuse_options(what, "Leave it out, or change the study file.", **options)


def refuse_options(what: str, fix: str, **options: object) -> None:
    """Raises `InputError` with `what` and `fix` when any of the options was given."""
    given = [
        f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None and value is not False
    ]
    if given:
        raise InputError(Problem(", ".join(given), what, fix))
