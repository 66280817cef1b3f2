"""Peak memory of one side's DPO steps, in a process of its own: `python -m benchmarks._peak SIDE SHAPE ...`"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch

from benchmarks._measure import Work
from benchmarks._shapes import SHAPES, draw_pairs, word_tokens
from preceptor.engine import Numerics
from preceptor.engine.cost import peak_memory, start_peak_memory
from preceptor.models import AdapterSettings, find_model, load_tokenizer, new_policy


def peak_bytes(side: str, shape: str, model: str, *, threads: int, steps: int, shrink: int) -> int:
    """Most memory that a new process holds while it takes `steps` DPO steps of a shape, by `ours` or by `trl`."""
    options = ["--threads", str(threads), "--steps", str(steps), "--shrink", str(shrink)]
    command = [sys.executable, "-m", "benchmarks._peak", side, shape, model, *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parents[1])
    return int(done.stdout.split()[-1])


def _dpo_step(arguments: argparse.Namespace) -> Work:
    source = find_model(arguments.model)
    tokenizer = load_tokenizer(source)
    shape = SHAPES[arguments.shape].shrunk(arguments.shrink)
    pairs = draw_pairs(shape, word_tokens(tokenizer), tokenizer.eos_token_id)
    # Each side's modules are loaded for that side only: they take memory too.
    if arguments.side == "trl":
        from benchmarks import _trl

        return _trl.dpo_step(source, pairs)
    from benchmarks import _ours

    policy = new_policy(source, AdapterSettings(), seed=0, dtype=torch.float32)
    return _ours.dpo_step(policy, pairs, Numerics(threads=arguments.threads))


def main() -> None:
    """Take the steps and print the bytes."""
    parser = argparse.ArgumentParser(description="Peak memory of DPO steps.")
    parser.add_argument("side", choices=["ours", "trl"])
    parser.add_argument("shape", choices=list(SHAPES))
    parser.add_argument("model")
    for option in ("--threads", "--steps", "--shrink"):
        parser.add_argument(option, type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    step = _dpo_step(arguments)
    start_peak_memory()
    for _ in range(arguments.steps):
        step()
    print(peak_memory())


if __name__ == "__main__":
    main()
