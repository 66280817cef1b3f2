"""The head of an arm that answers by one, in an export: written beside the model, or read again and asked."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from preceptor.chat_server import Reply
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
    soft_tokens_of,
    writes,
)
from preceptor.ship._slots import adapters_of, head_folder
from preceptor.study import ArmOfRun

HEAD_FILE, LABELS_FILE = "head.safetensors", "head.json"
_STATES = {
    "first": "first token",
    "last": "last token",
    "mean": "mean of all tokens",
    "attention": "weighted mean of all tokens",
}
"""What `head.json` says of each pool; once that was all it said."""


def head_weights(arm: ArmOfRun) -> dict[str, Tensor]:
    """`weight` [labels, hidden_size] and, of an encoder's head, `bias` [labels]."""
    return load_file(head_folder(arm) / HEAD_FILE)


def write_head(arm: ArmOfRun, folder: Path) -> None:
    """Write `head.safetensors`, see `head_weights`, and `head.json`: the labels in the order of the outputs, which
    hidden states the head reads, the chunks in which it reads long cases, if it does, and where an answer has several
    labels the threshold of each.
    """
    shutil.copyfile(head_folder(arm) / HEAD_FILE, folder / HEAD_FILE)
    pool, chunks = head_pool(arm), chunk_settings(head_chunks(arm))
    read = {"labels": list(arm.task.answer.labels), "state": _STATES[pool], "pool": pool}
    several = {} if arm.threshold is None else {"threshold": arm.threshold}
    write_json(folder / LABELS_FILE, read | chunks | several)


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
    pool = written.get("pool") or {state: pool for pool, state in _STATES.items()}[written["state"]]
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


def how_to_use(arm: ArmOfRun, folder: Path) -> list[str]:
    """Lines on the head of the export in `folder` for a reader."""
    prompt = "" if writes(arm.source) else " The text is the user's turn alone, without the instruction."
    if not (folder / HEAD_FILE).is_file():
        return [
            "`AutoModelForSequenceClassification` loads it: `id2label` has the labels in the order of its logits. "
            f"{_rule(arm, 'logit')}{prompt}",
            "A layer that its class has in front of the outputs hands them through and does nothing else. To train the "
            "model further, take the adapter.",
        ]
    soft = sum(soft_tokens_of(slot.peft_config("FEATURE_EXTRACTION")) for slot in adapters_of(arm).values())
    pool, text = head_pool(arm), "prompt" if writes(arm.source) else "text"
    which = {"first": soft, "last": -1}.get(pool, f"{soft}:")
    state = f"{text}'s {_STATES[pool]}" if pool in ("first", "last") else f"{text}: the {_STATES[pool]}"
    weighed = " The weights are `softmax(states @ query / hidden_size**0.5)`." if pool == "attention" else ""
    return [
        f"`{HEAD_FILE}` is a linear layer (`weight` [labels, hidden size], perhaps `bias`) on the last hidden state of "
        f"the {state}: `model(**prompt, output_hidden_states=True).hidden_states[-1][0, {which}]`.{weighed}{prompt}",
        *_own_class(arm),
        *_how_chunks_are_made(arm),
        f"Its outputs are in the order of `labels` in `{LABELS_FILE}`: {', '.join(arm.task.answer.labels)}. "
        f"{_rule(arm, 'output')}",
    ]


def _own_class(arm: ArmOfRun) -> list[str]:
    """How a small net is loaded, which is none of transformers' own models."""
    if arm.source.kind != "made":
        return []
    return [
        "`AutoModel` loads it once `import preceptor.models` has told transformers its class, `CodeSetsModel`, which "
        "needs torch and transformers alone. Codes that no training case had are passed over."
    ]


def _how_chunks_are_made(arm: ArmOfRun) -> list[str]:
    chunks = head_chunks(arm)
    if chunks is None:
        return []
    room, shared = chunks.length - 2, chunks.overlap
    together = {
        "first": "The state is the mean of those of the chunks' first tokens",
        "last": "The state is the mean of those of the chunks' last tokens",
        "mean": "The mean is over the tokens of all chunks",
        "attention": "The weights are over the tokens of all chunks",
    }[head_pool(arm)]
    return [
        f"A text of more than {chunks.length} tokens (`chunk_length` in `{LABELS_FILE}`) is read in chunks, each by "
        f"itself: the n tokens between its first and its last are parted into k = ceil((n - {shared}) / "
        f"{room - shared}) pieces, of which neighbours share {shared} tokens (`chunk_overlap`). Their lengths add up "
        f"to n + (k - 1) * {shared} and differ by 1 at most, longer ones in front; around each stand the text's first "
        f"and its last token. {together}.",
    ]


def _rule(arm: ArmOfRun, output: str) -> str:
    """How the outputs become the answer, for a reader; output: what one is called."""
    if arm.threshold is None:
        return f"The softmax of all is how probable each label is; the answer is the label of the highest {output}."
    empty = arm.task.answer.empty
    none = "the most probable one" if empty is None else f"`{empty}`"
    return (
        f"The sigmoid of each {output} is how probable its label is. The answer is every label whose probability is "
        f"at least {arm.threshold:g}, the threshold that the study chose on validation cases, and where there is none, "
        f"{none}."
    )


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
