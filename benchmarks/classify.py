"""How fast does an encoder with a head train? `python -m benchmarks.classify [--json] [--only WHAT,..] [--shapes a,b]`

An encoder of all-MiniLM-L6-v2's size with random weights, whose speed is the same; float32, on the CPU,
2 threads. The peer is transformers' Trainer with the same model as an `AutoModelForSequenceClassification`: the same
batch, padded to its longest case, no dropout. Both sides are measured in one run, in turn, and the median of each is
compared. A step is forward, backward, optimizer step and zeroing of the gradients.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from benchmarks._measure import Row, Work
    from preceptor.progress import Advance

LABELS = 4
NAMES = [f"label {i}" for i in range(LABELS)]
LEARNING = ("all", "lora", "head")
"""What learns: every weight and the head, LoRA of rank 16 on every linear layer and the head, the head alone."""
WORDS = range(1_000, 30_000)
BOUND = 1.0
MINILM: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1_536,
}
NO_DROPOUT: dict[str, Any] = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
"""Ours has none: `Trainer` would draw it, and compute something else."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One optimizer step: `cases` texts of `shortest` to `longest` tokens."""

    name: str
    cases: int
    shortest: int
    longest: int

    @property
    def title(self) -> str:
        """What the shape is, for a reader of the table."""
        return f"{self.name}: {self.cases} cases of {self.shortest} to {self.longest} tokens"


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("a", cases=16, shortest=200, longest=300),
        Shape("b", cases=32, shortest=20, longest=60),
        Shape("c", cases=16, shortest=30, longest=500),
    )
}


@dataclass(frozen=True, slots=True)
class Case:
    """Token ids of a text, and the number of its label."""

    ids: list[int]
    label: int


def draw_cases(shape: Shape, words: Sequence[int]) -> list[Case]:
    """Those of one step, lengths spread evenly, tokens drawn at random: no text of anybody."""
    import random

    drawn = random.Random(0)
    wide = shape.longest - shape.shortest
    lengths = [shape.shortest + wide * i // max(1, shape.cases - 1) for i in range(shape.cases)]
    drawn.shuffle(lengths)
    return [Case(drawn.choices(words, k=length), i % LABELS) for i, length in enumerate(lengths)]


def our_step(model: "nn.Module", cases: Sequence[Case], tokens_per_tree: int) -> "Work":
    """A step as `classify` takes it: batches of padded cases, a head on their states."""
    import torch

    from benchmarks._ours import step_of
    from preceptor.engine import computed_together, label_loss, sequence_states
    from preceptor.models import heads_of

    (head,) = heads_of(model).values()
    batches = computed_together(model, cases, lambda case: [case.ids], tokens_per_tree)

    def loss(batch: list[Case]) -> "Tensor":
        logits = head(sequence_states(model, [case.ids for case in batch], head, share=False))
        return label_loss(logits, torch.tensor([case.label for case in batch])).sum() / len(cases)

    return step_of(model, batches, loss)


def peer_step(model: Any, cases: Sequence[Case], learning: str) -> "Work":
    """The same step by transformers' Trainer: one padded batch."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Trainer, TrainingArguments

    from benchmarks._trainer import trainer_arguments, trainer_step
    from preceptor.models import AdapterSettings

    def padded(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        ids = [torch.tensor(row["ids"]) for row in rows]
        fill = torch.nn.utils.rnn.pad_sequence
        return {
            "input_ids": fill(ids, batch_first=True),
            "attention_mask": fill([torch.ones_like(one) for one in ids], batch_first=True),
            "labels": torch.tensor([row["label"] for row in rows]),
        }

    model.bert.pooler.requires_grad_(False)  # it hands the first token's state through, and ours has none
    if learning == "head":
        model.bert.requires_grad_(False)
    if learning == "lora":
        same, where = AdapterSettings(), r".*encoder.*\.(query|key|value|dense)"
        options: dict[str, Any] = {"r": same.rank, "lora_alpha": same.alpha, "target_modules": where}
        model = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", modules_to_save=["classifier"], **options))
    with TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            **trainer_arguments(folder, len(cases)), remove_unused_columns=False, label_names=["labels"]
        )
        rows: Any = [asdict(case) for case in cases]
        trainer = Trainer(model, arguments, data_collator=padded, train_dataset=rows)
    return trainer_step(trainer)


def sides(folder: Path, cases: Sequence[Case], learning: str, tokens_per_tree: int) -> "tuple[Work, Work]":
    """Our step and the peer's, on models of the same weights. `folder` holds a BERT's `config.json`."""
    import copy

    import torch
    from transformers import AutoConfig, AutoModel

    from preceptor.models import BACKBONE, DEFAULT, HEAD, AdapterSettings, SlotSettings, find_blueprint, heads_of, use
    from preceptor.models._policy import put_slots
    from preceptor.ship._classifier import classifier

    torch.manual_seed(0)
    plain: Any = AutoModel.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32)
    plain.pooler = None
    slots: dict[str, Any] = {"head": SlotSettings(type=HEAD, outputs=LABELS)}
    if learning == "lora":
        slots[DEFAULT] = AdapterSettings()
    ours = put_slots(copy.deepcopy(plain), slots, find_blueprint(str(folder)), seed=0).eval()
    use(ours, slots, [*slots, *([BACKBONE] if learning == "all" else [])])
    head = {name: weight.detach().clone() for name, weight in heads_of(ours)["head"].state_dict().items()}
    return our_step(ours, cases, tokens_per_tree), peer_step(classifier(plain, head, NAMES, None), cases, learning)


def row_of(folder: Path, shape: Shape, learning: str, *, steps: int, threads: int, advance: "Advance") -> "Row":
    """Cases a second of both sides; one untimed step of each comes before, whose losses must be the same."""
    from benchmarks._measure import alternate, at_least
    from preceptor.engine import Numerics

    cases = draw_cases(shape, WORDS)
    both = sides(folder, cases, learning, Numerics(threads=threads).tokens_per_tree)
    ours, peer = alternate(both, steps, advance)
    what = {"all": "every weight and head", "lora": "LoRA and head", "head": "head alone"}[learning]
    rates = shape.cases / ours, shape.cases / peer
    return at_least(f"{what} over Trainer", shape.name, *rates, "cases/s", BOUND)


def main() -> None:
    """Measure and print the rows."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before the imports that would look for one
    import torch
    from rich.console import Console
    from transformers import BertConfig

    from benchmarks._arguments import read_arguments
    from benchmarks._measure import HEADER, line
    from preceptor.progress import progress

    asked = read_arguments("Speed of training an encoder with a head.", LEARNING, SHAPES)
    torch.set_num_threads(asked.threads)
    todo = [(SHAPES[shape], what) for what in asked.what for shape in asked.shapes]
    console, options = Console(stderr=True), {"steps": asked.steps, "threads": asked.threads}
    rows = []
    with TemporaryDirectory() as made, progress("measuring", len(todo) * 2 * (asked.steps + 1), console) as advance:
        BertConfig(**MINILM, **NO_DROPOUT).save_pretrained(made)
        for shape, what in todo:
            rows.append(row_of(Path(made), shape, what, advance=advance, **options))
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(HEADER, *map(line, rows), *(SHAPES[name].title for name in asked.shapes), sep="\n")


if __name__ == "__main__":
    main()
