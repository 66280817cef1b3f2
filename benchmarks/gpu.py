"""DPO on an accelerator against TRL's: `python -m benchmarks.gpu [--json] [--layers N] [--steps N]`

A model with the layer shapes of an 8-billion-weight Llama, drawn at random, bfloat16, LoRA of rank 16 on every linear
layer. The same pairs, the same adapter, the same optimizer; ours and TRL's in turn, medians. TRL's peak memory is
measured with its reference precomputed, its better case. Without an accelerator it says so and measures nothing.
"""

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig

from benchmarks._measure import Row, adamw, at_least, at_most
from preceptor.engine import Cost, EncodedPair, Numerics, can_share, dpo_loss, reward_margins
from preceptor.engine._reference import cached_reference, pair_logprobs, pair_trees, sums

SHAPES = {
    "8 pairs, 1024 + 128": (8, 0, 1024, 128),
    "16 pairs, 1500 shared + 300 + 32": (16, 1500, 300, 32),
    "2 pairs, 6000 + 256": (2, 0, 6000, 256),
}
"""Pairs, tokens shared by all prompts, tokens of each prompt, tokens of each answer."""
VOCABULARY = 128_256
BETA = 0.1


def llama_8b(layers: int) -> Any:
    """The layer shapes of Llama 3 8B, `layers` of its 32, weights drawn at random, with a new adapter."""
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        rope_theta=500_000.0,
    )
    with torch.device("cuda"):
        backbone = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).requires_grad_(False)
    return get_peft_model(backbone, LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=32, target_modules="all-linear"))


def draw(shape: tuple[int, int, int, int]) -> list[EncodedPair]:
    """Pairs of random token ids."""
    count, shared, own, answer = shape
    rng = random.Random(0)

    def some(length: int) -> list[int]:
        return rng.choices(range(100, VOCABULARY - 300), k=length)

    instruction = some(shared)
    return [EncodedPair(instruction + some(own), some(answer), some(answer)) for _ in range(count)]


def our_step(model: Any, pairs: Sequence[EncodedPair], numerics: Numerics) -> Callable[[], None]:
    """One optimizer step of ours, with its cached reference."""
    assert can_share(model), "this model computes trees wrongly here"
    policy = type("Policy", (), {"model": model, "tokenizer": range(VOCABULARY)})()
    with TemporaryDirectory() as folder:
        reference, _ = cached_reference(policy, pairs, numerics, Path(folder) / "reference.json", share=True)
    kept = torch.tensor(reference, device="cuda")
    trees = pair_trees(pairs, range(len(pairs)), numerics.tokens_per_tree)
    optimizer = adamw(model)

    def step() -> None:
        for tree in trees:
            chosen, rejected = pair_logprobs(model, [pairs[i] for i in tree], share=True, cost=Cost())
            margins = reward_margins(sums(chosen), sums(rejected), kept[tree, 0], kept[tree, 1])
            (dpo_loss(margins, BETA).sum() / len(pairs)).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def trl_step(model: Any, pairs: Sequence[EncodedPair]) -> Callable[[], None]:
    """The arithmetic of TRL's DPOTrainer on its own padded batch: chosen and rejected rows, all logits, reference kept.

    Written out here because the trainer itself wants a tokenizer, which a model drawn at random does not have.
    """
    rows = [pair.prompt + pair.chosen for pair in pairs] + [pair.prompt + pair.rejected for pair in pairs]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device="cuda")
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device="cuda")
    prompts = torch.tensor([len(pair.prompt) for pair in pairs] * 2, device="cuda")
    answers = (torch.arange(longest, device="cuda")[None] >= prompts[:, None]) & mask.bool()
    optimizer = adamw(model)

    def logprobs() -> torch.Tensor:
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
        chosen = torch.gather(logits, 2, ids[:, 1:, None])[..., 0] - logits.logsumexp(-1)
        return (chosen.float() * answers[:, 1:]).sum(1)

    with torch.no_grad():
        reference = logprobs()

    def step() -> None:
        (ours_chosen, ours_rejected), (chosen, rejected) = logprobs().chunk(2), reference.chunk(2)
        dpo_loss(reward_margins(ours_chosen, ours_rejected, chosen, rejected), BETA).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(step: Callable[[], None]) -> tuple[float, int]:
    """Seconds and peak bytes of one step."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - started, torch.cuda.max_memory_allocated()


def rows(name: str, layers: int, steps: int) -> list[Row]:
    """Pairs a second and peak memory of one shape."""
    pairs = draw(SHAPES[name])
    model = llama_8b(layers)
    numerics = Numerics(dtype="bfloat16", tokens_per_tree=8192)
    ways = [our_step(model, pairs, numerics), trl_step(model, pairs)]
    for way in ways:
        way()
    found = [[measure(way) for way in ways] for _ in range(steps)]
    ours, peer = ((statistics.median(each[i][0] for each in found), found[-1][i][1]) for i in (0, 1))
    return [
        at_least(
            "DPO over TRL's step, reference kept", name, len(pairs) / ours[0], len(pairs) / peer[0], "pairs/s", None
        ),
        at_most("peak memory", name, ours[1] / 2**30, peer[1] / 2**30, "GiB", None),
    ]


def main() -> None:
    """Measure and print the rows."""
    parser = argparse.ArgumentParser(description="DPO on an accelerator.")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--layers", type=int, default=32, help="of 32; default: %(default)s")
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each side; default: %(default)s")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("[]" if arguments.json else "No accelerator here: nothing measured.")
        return
    found = [row for name in SHAPES for row in rows(name, arguments.layers, arguments.steps)]
    if arguments.json:
        print(json.dumps([asdict(row) for row in found], indent=2))
        return
    for row in found:
        print(f"{row.case:34}{row.what:38}{row.ours:>9.3g}{row.peer:>9.3g} {row.unit:8} ratio {row.ratio:.2f}")


if __name__ == "__main__":
    main()
