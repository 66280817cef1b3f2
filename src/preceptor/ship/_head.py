"""The head of an arm that answers by one, in an export: written beside the model, or read again and asked."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from preceptor.chat_server import Reply
from preceptor.data import make_as_stated
from preceptor.files import write_json
from preceptor.models import (
    HEAD,
    Chunks,
    Head,
    Slot,
    chunk_settings,
    chunks_of,
    chunks_read,
    pool_of,
    rows_read,
    saved_slots,
    soft_tokens,
)
from preceptor.ship._slots import head_folder
from preceptor.study import ArmOfRun
from preceptor.tasks import Example

HEAD_FILE, LABELS_FILE = "head.safetensors", "head.json"
STATES = {
    "first": "first token",
    "last": "last token",
    "mean": "mean of all tokens",
    "attention": "weighted mean of all tokens",
    "snippet_mean": "mean of the snippets' means of all tokens",
    "snippet_attention": "weighted mean of the snippets' means of all tokens",
}
"""What `head.json` says of each pool; once that was all it said."""


def head_weights(arm: ArmOfRun) -> dict[str, Tensor]:
    """`weight` [labels, hidden_size] and, of an encoder's head, `bias` [labels]."""
    return load_file(head_folder(arm) / HEAD_FILE)


def write_head(arm: ArmOfRun, folder: Path) -> None:
    """Write `head.safetensors`, see `head_weights`, and `head.json`: the labels in the order of the outputs, which
    hidden states the head reads, the chunks in which it reads long cases, if it does, how the field that it is shown is
    made, if the study made it, and where an answer has several labels the threshold of each.
    """
    shutil.copyfile(head_folder(arm) / HEAD_FILE, folder / HEAD_FILE)
    pool, chunks = head_pool(arm), chunk_settings(head_chunks(arm))
    read = {"labels": list(arm.task.answer.labels), "state": STATES[pool], "pool": pool}
    several = {} if arm.threshold is None else {"threshold": arm.threshold}
    made = {} if arm.made_field is None else {"made": {"field": arm.made_field, **arm.stated_field()}}
    write_json(folder / LABELS_FILE, read | chunks | made | several)


def with_made_field(folder: Path, examples: Sequence[Example]) -> list[Example]:
    """The cases as an export is given them: a field that the study made is made again, as `head.json` says."""
    file = folder / LABELS_FILE
    made = json.loads(file.read_text(encoding="utf-8")).get("made") if file.is_file() else None
    if made is None:
        return list(examples)
    make = make_as_stated(made)
    return [replace(one, fields={**one.fields, made["field"]: make(one)}) for one in examples]


@torch.no_grad()
def labels_by_head(arm: ArmOfRun, model: Any, folder: Path, prompts: Sequence[list[int]]) -> list[Reply]:
    """What the export in `folder` answers to each prompt, one prompt at a time through the model's own code."""
    written, logits = _beside(model, folder) if (folder / HEAD_FILE).is_file() else _within(model)
    threshold, replies = written.get("threshold", arm.threshold), []
    for prompt in prompts:
        outputs = logits(prompt).float().cpu()
        likely = outputs.softmax(-1) if threshold is None else outputs.sigmoid()
        scores = dict(zip(written["labels"], likely.tolist(), strict=True))
        replies.append(Reply(arm.head_text(scores, threshold), scores=scores))
    return replies


def _beside(model: Any, folder: Path) -> tuple[dict[str, Any], Callable[[list[int]], Tensor]]:
    """What `head.json` says, and the logits that `head.safetensors` gives the token ids of a prompt."""
    weights, written = load_file(folder / HEAD_FILE), json.loads((folder / LABELS_FILE).read_text(encoding="utf-8"))
    pool = written.get("pool") or {state: pool for pool, state in STATES.items()}[written["state"]]
    labels, width = weights["weight"].shape
    head = Head(width, labels, pool, bias="bias" in weights, chunks=chunks_of(written))
    head.load_state_dict(weights)

    def read(piece: list[int]) -> Tensor:
        made = model.eval()(input_ids=torch.tensor([piece], device=model.device), output_hidden_states=True)
        rows = rows_read(pool, len(piece))
        states: Tensor = made.hidden_states[-1][0, soft_tokens(model) :]
        return states[rows.start : rows.stop].float().cpu()

    def logits(ids: list[int]) -> Tensor:
        found: Tensor = head(head.pooled([read(piece) for piece in head.pieces(ids)]))
        return found

    return written, logits


def _within(model: Any) -> tuple[dict[str, Any], Callable[[list[int]], Tensor]]:
    """The same of an `AutoModelForSequenceClassification`, whose configuration has the labels."""
    labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
    return {"labels": labels}, lambda ids: model.eval()(input_ids=torch.tensor([ids], device=model.device)).logits[0]


def head_pool(arm: ArmOfRun) -> str:
    """Which hidden states the head of an arm that answers by one reads."""
    return pool_of(head_slot(arm), arm.source)


def head_chunks(arm: ArmOfRun) -> Chunks | None:
    """Those in which the arm's head reads long cases; None where it reads every case as it is."""
    return chunks_read(head_slot(arm))


def head_slot(arm: ArmOfRun) -> Slot:
    """The head of an arm that answers by one."""
    assert arm.folder is not None
    (head,) = (slot for slot in saved_slots(arm.folder).values() if slot.type == HEAD)
    return head
