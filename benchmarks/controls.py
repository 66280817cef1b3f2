"""Can an effect of preferences be seen? Controls whose answer is known: `python -m benchmarks.controls [--json]`

`--only pc1`: one of them. pc1, "copied forward", and dose are in `_copied_forward`, pc2 in `_invented_facts`, labels in
`_label_controls`; each says what is asked of it and why. A bound that is not met is printed as such. The
rows of each are kept in docs/results, and `python -m benchmarks.results` makes their table.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks._control_arms import Arms, Row
from benchmarks._copied_forward import Archive, copied_forward, dose_response
from benchmarks._invented_facts import invented_facts
from benchmarks._label_controls import label_controls
from benchmarks._markdown import NONE, table
from preceptor.engine import choose_numerics
from preceptor.evidence import p_text
from preceptor.files import write_atomic
from preceptor.models import EMBEDDED, fetch_embedded, find_model
from preceptor.study import load_study

CONTROLS: Mapping[str, Callable[[Archive], Iterator[Row]]] = {
    "pc1": copied_forward,
    "pc2": invented_facts,
    "dose": dose_response,
    "labels": lambda archive: label_controls(archive.arms),
}

KEPT = Path("docs/results")


def main() -> None:
    """Train, ask and print; the rows of each control are kept as soon as it is through."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--only", choices=tuple(CONTROLS), help="one control; default: all")
    asked = parser.parse_args()
    every = []
    for name, measured in measure([asked.only] if asked.only else list(CONTROLS)):
        rows = []
        for row in measured:
            rows.append(asdict(row))
            if not asked.json:
                print(row, flush=True)
        write_atomic(_file(name), json.dumps(rows, indent=2) + "\n")
        every += rows
    if asked.json:
        print(json.dumps(every, indent=2))


def measure(controls: Sequence[str]) -> Iterator[tuple[str, Iterator[Row]]]:
    """The names of the controls, each with its rows, on the real model."""
    fetch_embedded()
    numerics = choose_numerics(load_study("quickstart")[0].numerics)
    torch.set_num_threads(numerics.threads)
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Arms(find_model(EMBEDDED), numerics, Path(folder)))
        for name in controls:
            yield name, CONTROLS[name](archive)


def section(kept: Path = KEPT) -> list[str]:
    """Markdown: a line for each row that was kept, in the order in which they were measured; nothing without any."""
    files = [file for name in CONTROLS if (file := _file(name, kept)).exists()]
    rows = [Row(**one) for file in files for one in json.loads(file.read_text(encoding="utf-8"))]
    if not rows:
        return []
    asked, missed = sum(row.bound is not None for row in rows), sum(row.holds is False for row in rows)
    header = ["what", "arm", "mean [95%]", "unit", "steps", "sum of rates", "training", "asked", ""]
    return [
        "## Controls",
        "",
        "Can an effect of preferences be seen? Trained and asked by `python -m benchmarks.controls`, one seed, on "
        f"built-in cases that no study has. Of {asked} bounds {missed} are missed.",
        "",
        *table(header, map(_line, rows)),
    ]


def _file(name: str, kept: Path = KEPT) -> Path:
    return kept / f"controls-{name}.json"


def _line(row: Row) -> list[str]:
    value = p_text(row.ours) if row.unit == "p" else f"{row.ours:.3f} [{row.low:.3f}, {row.high:.3f}]"
    trained = [str(row.steps), f"{row.dose:.1e}", f"{row.seconds:.0f} s"] if row.steps else [NONE] * 3
    held = NONE if row.holds is None else "holds" if row.holds else "**fails**"
    return [row.what, row.case, value, row.unit, *trained, row.bound or NONE, held]


if __name__ == "__main__":
    main()
