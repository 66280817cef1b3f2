"""Can an effect of preferences be seen? Controls whose answer is known: `python -m benchmarks.controls [--json]`

`--only pc1`: one of them. pc1, "copied forward", and dose are in `_copied_forward`, pc2 in `_invented_facts`, labels in
`_label_controls`; each says what is asked of it and why. A bound that is not met is printed as such.
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
from preceptor.engine import choose_numerics
from preceptor.models import EMBEDDED, fetch_embedded, find_model
from preceptor.study import load_study

CONTROLS: Mapping[str, Callable[[Archive], Iterator[Row]]] = {
    "pc1": copied_forward,
    "pc2": invented_facts,
    "dose": dose_response,
    "labels": lambda archive: label_controls(archive.arms),
}


def main() -> None:
    """Train, ask and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--only", choices=tuple(CONTROLS), help="one control; default: all")
    asked = parser.parse_args()
    rows = []
    for row in measure([asked.only] if asked.only else list(CONTROLS)):
        rows.append(row)
        if not asked.json:
            print(row, flush=True)
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))


def measure(controls: Sequence[str]) -> Iterator[Row]:
    """The rows of the controls, on the real model."""
    fetch_embedded()
    numerics = choose_numerics(load_study("quickstart")[0].numerics)
    torch.set_num_threads(numerics.threads)
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Arms(find_model(EMBEDDED), numerics, Path(folder)))
        for name in controls:
            yield from CONTROLS[name](archive)


if __name__ == "__main__":
    main()
