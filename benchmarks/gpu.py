"""DPO on an accelerator: `python -m benchmarks.gpu [--json] [--layers N] [--steps N] [--tokenizer FOLDER]`

A model with the layer shapes of Llama 3 8B, weights drawn at random, bfloat16, LoRA of rank 16 on every linear layer,
against TRL's DPOTrainer with its reference precomputed, its better case. The same pairs, adapter and optimizer; ours
and TRL's in turn, medians. Without an accelerator it says so and measures nothing.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig

from benchmarks._measure import Row, at_least, at_most
from benchmarks._shapes import LARGE_SHAPES, LARGE_TREE, Shape, draw_pairs, word_tokens
from preceptor.engine import EncodedPair, Numerics
from preceptor.models import EMBEDDED, AdapterSettings, ModelSource, Policy, find_model, load_tokenizer
from preceptor.models._fused import fuse


def llama_8b(layers: int, vocabulary: int) -> Any:
    """The layer shapes of Llama 3 8B, `layers` of its 32, with the vocabulary of the tokenizer at hand."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
    )
    with torch.device("cuda"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).requires_grad_(False)


def our_step(source: ModelSource, tokenizer: Any, pairs: Sequence[EncodedPair], layers: int) -> Callable[[], object]:
    """One optimizer step of ours on a model of its own."""
    from benchmarks import _ours

    same = AdapterSettings()
    adapter = LoraConfig(task_type="CAUSAL_LM", r=same.rank, lora_alpha=same.alpha, target_modules="all-linear")
    model: Any = get_peft_model(llama_8b(layers, len(tokenizer)), adapter)
    fuse(model)
    policy = Policy(model, tokenizer, source, same)
    return _ours.dpo_step(policy, pairs, Numerics(dtype="bfloat16", tokens_per_tree=LARGE_TREE))


def measure(step: Callable[[], object]) -> tuple[float, int]:
    """Seconds and peak bytes of one step, both models' weights included in the bytes."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - started, torch.cuda.max_memory_allocated()


def rows(source: ModelSource, shape: Shape, layers: int, steps: int) -> list[Row]:
    """Pairs a second, and the memory a step takes beyond what is held between steps."""
    from benchmarks import _trl

    tokenizer = load_tokenizer(source)
    pairs = draw_pairs(shape, word_tokens(tokenizer), tokenizer.eos_token_id)
    theirs = llama_8b(layers, len(tokenizer))
    ways = [
        our_step(source, tokenizer, pairs, layers),
        _trl.dpo_step(source, pairs, precomputed=True, model=theirs),
    ]
    for way in ways:
        way()
    held = torch.cuda.memory_allocated()
    found = [[measure(way) for way in ways] for _ in range(steps)]
    (ours, our_bytes), (peer, peer_bytes) = (
        (statistics.median(each[i][0] for each in found), max(each[i][1] for each in found) - held) for i in (0, 1)
    )
    speed = at_least(
        "DPO over TRL, reference precomputed", shape.name, len(pairs) / ours, len(pairs) / peer, "pairs/s", None
    )
    return [speed, at_most("memory of a step", shape.name, our_bytes / 2**30, peer_bytes / 2**30, "GiB", None)]


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(description="DPO on an accelerator.")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--layers", type=int, default=32, help="of 32; default: %(default)s")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each side; default: %(default)s")
    parser.add_argument("--tokenizer", type=Path, help="folder of a tokenizer; default: the embedded model's")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("[]" if arguments.json else "No accelerator here: nothing measured.")
        return
    folder = arguments.tokenizer
    source = ModelSource(str(folder), folder.name, folder, "folder") if folder else find_model(EMBEDDED)
    found = [row for shape in LARGE_SHAPES.values() for row in rows(source, shape, arguments.layers, arguments.steps)]
    if arguments.json:
        print(json.dumps([asdict(row) for row in found], indent=2))
        return
    for row in found:
        print(f"{row.case:4}{row.what:46}{row.ours:>9.3g}{row.peer:>9.3g} {row.unit:9} ratio {row.ratio:.2f}")
    for shape in LARGE_SHAPES.values():
        print(shape.title)


if __name__ == "__main__":
    main()
