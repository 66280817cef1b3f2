"""How fast are training, scoring, answering? `python -m benchmarks.training [--json] [--only WHAT,..] [--shapes a,b]`

SmolLM2-135M, LoRA of rank 16 on every linear layer, float32, on the CPU, 2 threads. Both sides are measured in one run,
in turn, and the median of each is compared. A training step is forward, backward, optimizer step and zeroing of the
gradients. The peer is TRL (fp32, no gradient checkpointing, no cut of long sequences, its batch made beforehand) unless
the row names another. `benchmarks.gpu` is for accelerators.
"""

import argparse
import json
import os
from dataclasses import asdict


def main() -> None:
    """Measure and print the rows."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before the imports that would look for one
    from benchmarks._measure import HEADER, line
    from benchmarks._rows import MEASUREMENTS, measure
    from benchmarks._shapes import SHAPES

    parser = argparse.ArgumentParser(description="Speed and memory of training, scoring and generation.")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--only", metavar="WHAT,...", help=f"of {', '.join(MEASUREMENTS)}; default: all")
    parser.add_argument("--shapes", metavar="SHAPE,...", help=f"of {', '.join(SHAPES)}; default: all")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each side; default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    arguments = parser.parse_args()
    chosen = []
    for given, known in ((arguments.only, MEASUREMENTS), (arguments.shapes, SHAPES)):
        names = given.split(",") if given else list(known)
        if unknown := [name for name in names if name not in known]:
            parser.error(f"there is no {', '.join(unknown)}; choose from {', '.join(known)}")
        chosen.append(names)
    rows = measure(*chosen, steps=arguments.steps, threads=arguments.threads)
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(HEADER, *map(line, rows), *(shape.title for shape in SHAPES.values()), sep="\n")


if __name__ == "__main__":
    main()
