"""What `benchmarks.training` measures: each measurement makes the row, or the rows, of one shape."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from rich.console import Console

from benchmarks import _ours, _peft, _trl
from benchmarks._measure import Row, Work, alternate, at_least, at_most
from benchmarks._peak import peak_bytes
from benchmarks._shapes import SHAPES, Shape, draw_labels, draw_pairs, word_tokens
from preceptor.engine import EncodedPair, Numerics
from preceptor.engine.training.reference import pair_trees
from preceptor.engine.tree.layout import distinct_prefixes
from preceptor.models import (
    EMBEDDED,
    AdapterSettings,
    Encoded,
    ModelSource,
    Policy,
    Slot,
    SlotSettings,
    fetch_embedded,
    find_model,
    load_tokenizer,
    new_policy,
    start_policy,
)
from preceptor.progress import Advance, progress

LABELS, LABEL_TOKENS, LABEL_PROMPTS = 20, 4, 2
NEW_TOKENS = 16
BATCHES_AN_EPOCH = 2
ADAPTERS: dict[str, Slot] = {
    "LoRA": SlotSettings(type="LORA", r=16, lora_alpha=32, target_modules="all-linear"),
    "IA3": SlotSettings(type="IA3"),
    "a prefix": SlotSettings(type="PREFIX_TUNING", num_virtual_tokens=16),
    "a prompt": SlotSettings(type="PROMPT_TUNING", num_virtual_tokens=16),
}
MEMORY_STEPS = 2
"""From the second step on the optimizer holds its state, and nothing more is added."""


@dataclass
class Bench:
    """What every measurement needs. `steps` are those that are timed; one more comes before them."""

    source: ModelSource
    steps: int
    numerics: Numerics
    advance: Advance
    shrink: int = 1
    words: Sequence[int] = field(init=False)
    stop: int = field(init=False)

    def __post_init__(self) -> None:
        tokenizer = load_tokenizer(self.source)
        self.words, self.stop = word_tokens(tokenizer), tokenizer.eos_token_id

    def pairs(self, shape: Shape, count: int | None = None) -> list[EncodedPair]:
        """Those of one step, or `count` of them."""
        return draw_pairs(shape, self.words, self.stop, count=count)

    def policy(self) -> Policy:
        """The model with a new adapter."""
        return new_policy(self.source, AdapterSettings(), seed=0, dtype=torch.float32)

    def seconds(self, *works: Work) -> list[float]:
        """Median seconds of each."""
        return alternate(works, self.steps, self.advance)


def dpo(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """DPO steps against TRL's, which computes the reference again at every step."""
    return _dpo_over_trl("DPO over TRL, reference at each step", bench, shape, bound)


def dpo_precomputed(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """DPO steps against TRL's with the reference computed before."""
    return _dpo_over_trl("DPO over TRL, reference precomputed", bench, shape, bound, precomputed=True)


def dpo_as_it_comes(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """DPO steps against TRL's with nothing set: bf16, gradient checkpointing, max_length 1024."""
    return _dpo_over_trl("DPO over TRL's own defaults", bench, shape, bound, as_it_comes=True)


def _dpo_over_trl(what: str, bench: Bench, shape: Shape, bound: float | None, **how: bool) -> Row:
    pairs = bench.pairs(shape)
    ours, peer = bench.seconds(
        _ours.dpo_step(bench.policy(), pairs, bench.numerics), _trl.dpo_step(bench.source, pairs, **how)
    )
    return at_least(what, shape.name, len(pairs) / ours, len(pairs) / peer, "pairs/s", bound)


def memory(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """Peak memory of DPO steps, each side in a process of its own."""
    peaks = []
    for side in ("ours", "trl"):
        peaks.append(
            peak_bytes(
                side,
                shape.name,
                bench.source.name,
                threads=bench.numerics.threads,
                steps=MEMORY_STEPS,
                shrink=bench.shrink,
            )
        )
        bench.advance(bench.steps + 1)
    ours, peer = (peak / 2**30 for peak in peaks)
    return at_most("peak memory of DPO over TRL", shape.name, ours, peer, "GiB", bound)


def sft(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """SFT steps on the chosen answers against the faster of TRL's default and its packing."""
    examples = [Encoded(pair.prompt, pair.chosen) for pair in bench.pairs(shape)]
    ours, *peers = bench.seconds(
        _ours.sft_step(bench.policy(), examples, bench.numerics),
        _trl.sft_step(bench.source, examples, packing=False),
        _trl.sft_step(bench.source, examples, packing=True),
    )
    what = f"SFT over TRL, its {'default' if peers[0] <= peers[1] else 'packing'}"
    return at_least(what, shape.name, len(examples) / ours, len(examples) / min(peers), "examples/s", bound)


def adapters(bench: Bench, shape: Shape, bound: float | None) -> list[Row]:
    """SFT steps of four kinds of adapters, on the chosen answers, against PEFT with transformers' own forward."""
    examples, rows = [Encoded(pair.prompt, pair.chosen) for pair in bench.pairs(shape)], []
    for name, slot in ADAPTERS.items():
        policy = start_policy(bench.source, None, {"one": slot}, ["one"], seed=0, dtype=torch.float32)
        theirs = _peft.sft_step(policy, examples)  # from the weights that ours begins with
        ours, peer = bench.seconds(_ours.sft_step(policy, examples, bench.numerics), theirs)
        what = f"SFT of {name} over PEFT's forward"
        rows.append(at_least(what, shape.name, len(examples) / ours, len(examples) / peer, "examples/s", bound))
    return rows


def dpo_over_sft(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """Our own stages, whole, on the same examples: DPO with its reference pass against SFT."""
    policy, pairs = bench.policy(), bench.pairs(shape, count=BATCHES_AN_EPOCH * shape.pairs)
    dpo_seconds, sft_seconds = bench.seconds(
        _ours.dpo_stage(policy, pairs, shape.pairs, bench.numerics),
        _ours.sft_stage(policy, pairs, shape.pairs, bench.numerics),
    )
    return at_most("our DPO over our SFT, 2 epochs", shape.name, dpo_seconds, sft_seconds, "s", bound)


def labels(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """Scores of 20 labels under each prompt against one sequence a label."""
    policy = bench.policy()
    prompts = [pair.prompt for pair in bench.pairs(shape, count=LABEL_PROMPTS)]
    candidates = draw_labels(bench.words, bench.stop, LABELS, LABEL_TOKENS)
    ours, peer = bench.seconds(
        _ours.score_together(policy, prompts, candidates, bench.numerics),
        _ours.score_one_by_one(policy, prompts, candidates),
    )
    what = f"{LABELS} labels over one sequence a label"
    return at_least(what, shape.name, len(prompts) / ours, len(prompts) / peer, "prompts/s", bound)


def generation(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """Greedy answers to a batch of prompts against transformers' generate."""
    policy, prompts = bench.policy(), [pair.prompt for pair in bench.pairs(shape)]
    ours, peer = bench.seconds(
        _ours.answer(policy, prompts, NEW_TOKENS), _ours.answer_padded(policy, prompts, NEW_TOKENS)
    )
    what = "generation over model.generate"
    return at_least(what, shape.name, len(prompts) / ours, len(prompts) / peer, "answers/s", bound)


def products(bench: Bench, shape: Shape, bound: float | None) -> Row:
    """Rate of a DPO step, counting its linear layers only, against plain products with the same weights."""
    policy, pairs = bench.policy(), bench.pairs(shape)
    trees = pair_trees(pairs, range(len(pairs)), bench.numerics.tokens_per_tree)
    largest = max(
        distinct_prefixes([s.prompt + s.answer for i in tree for s in pairs[i].sequences()]) for tree in trees
    )
    multiply, product_flops = _ours.products(policy.model, largest)
    step_flops = _ours.dpo_step_flops(policy, pairs, bench.numerics)
    step, peer = bench.seconds(_ours.dpo_step(policy, pairs, bench.numerics), multiply)
    what = "DPO step over the machine's matrix products"
    return at_least(what, shape.name, step_flops / step / 1e9, product_flops / peer / 1e9, "GFLOP/s", bound)


@dataclass(frozen=True)
class Measurement:
    """A measurement, the bound of each shape it is made on (None: there is none), and how many ways it compares."""

    row: Callable[[Bench, Shape, float | None], Row | list[Row]]
    bounds: Mapping[str, float | None]
    ways: int = 2

    def rows(self, bench: Bench, shape: Shape, bound: float | None) -> list[Row]:
        """Those of one shape."""
        made = self.row(bench, shape, bound)
        return made if isinstance(made, list) else [made]


MEASUREMENTS = {
    "dpo": Measurement(dpo, {"a": 3.5, "b": 6, "c": 3, "d": 1.3}),
    "dpo-precomputed": Measurement(dpo_precomputed, {"a": 2.5, "b": 4.5, "c": 2, "d": 1}),
    "memory": Measurement(memory, {"a": 0.5, "b": 0.5, "c": 0.5}),
    "sft": Measurement(sft, {"a": 1, "b": 2.5, "c": 1, "d": 1}, ways=3),
    "adapters": Measurement(adapters, {"a": None, "b": 1}, ways=2 * len(ADAPTERS)),
    "dpo-over-sft": Measurement(dpo_over_sft, {"a": 1.4, "b": 1.4}),
    "labels": Measurement(labels, {"b": 8}),
    "generation": Measurement(generation, {"b": 1.5}),
    "products": Measurement(products, {"a": 0.5, "c": 0.5}),
    "defaults": Measurement(dpo_as_it_comes, {"a": None}),
}


def measure(what: Sequence[str], shapes: Sequence[str], *, steps: int, threads: int) -> list[Row]:
    """The rows of the measurements in `what`, on those of `shapes` they are made on; each is told when it is done."""
    torch.set_num_threads(threads)
    console = Console(stderr=True)
    fetch_embedded(console=console)
    todo = [(MEASUREMENTS[name], shape) for name in what for shape in shapes if shape in MEASUREMENTS[name].bounds]
    rows = []
    with progress("measuring", sum(m.ways for m, _ in todo) * (steps + 1), console) as advance:
        bench = Bench(find_model(EMBEDDED), steps, Numerics(threads=threads), advance)
        for measurement, shape in todo:
            for row in measurement.rows(bench, SHAPES[shape], measurement.bounds[shape]):
                rows.append(row)
                told = f"{row.case}: {row.what}: {row.ours:.3g} / {row.peer:.3g} {row.unit} = {row.ratio:.2f}"
                console.print(told, highlight=False)
    return rows
