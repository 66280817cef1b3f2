"""The command line of programs that measure several things on several shapes."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arguments:
    """What is asked for: `what` is measured on `shapes`, `steps` timed steps of each side."""

    what: list[str]
    shapes: list[str]
    steps: int
    threads: int
    json: bool


def read_arguments(description: str, what: Iterable[str], shapes: Iterable[str]) -> Arguments:
    """Of the names that there are, those that the command line has, or all. Ends the program with a wrong one."""
    known_what, known_shapes = list(what), list(shapes)
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--only", metavar="WHAT,...", help=f"of {', '.join(known_what)}; default: all")
    parser.add_argument("--shapes", metavar="SHAPE,...", help=f"of {', '.join(known_shapes)}; default: all")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each side; default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    given = parser.parse_args()
    chosen = []
    for asked, known in ((given.only, known_what), (given.shapes, known_shapes)):
        names = asked.split(",") if asked else known
        if unknown := [name for name in names if name not in known]:
            parser.error(f"there is no {', '.join(unknown)}; choose from {', '.join(known)}")
        chosen.append(names)
    return Arguments(*chosen, steps=given.steps, threads=given.threads, json=given.json)
