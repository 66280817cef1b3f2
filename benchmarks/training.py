"""How fast are training, scoring, answering? `python -m benchmarks.training [--json] [--only WHAT,..] [--shapes a,b]`

SmolLM2-135M, LoRA of rank 16 on every linear layer, float32, on the CPU, 2 threads. Both sides are measured in one run,
in turn, and the median of each is compared. A training step is forward, backward, optimizer step and zeroing of the
gradients. The peer is TRL (fp32, no gradient checkpointing, no cut of long sequences, its batch made beforehand) unless
the row names another. `adapters` are LoRA, IA3, a prefix and a prompt of 16 vectors. `benchmarks.gpu` is for
accelerators.
"""

import json
import os
from dataclasses import asdict


def main() -> None:
    """Measure and print the rows."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before the imports that would look for one
    from benchmarks._arguments import read_arguments
    from benchmarks._measure import HEADER, line
    from benchmarks._rows import MEASUREMENTS, measure
    from benchmarks._shapes import SHAPES

    asked = read_arguments("Speed and memory of training, scoring and generation.", MEASUREMENTS, SHAPES)
    rows = measure(asked.what, asked.shapes, steps=asked.steps, threads=asked.threads)
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(HEADER, *map(line, rows), *(shape.title for shape in SHAPES.values()), sep="\n")


if __name__ == "__main__":
    main()
