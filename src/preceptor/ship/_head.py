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
    Head,
    SlotSettings,
    family_pool,
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
    """Write `head.safetensors`, see `head_weights`, and `head.json`: the labels in the order of the outputs, and which
    hidden states the head reads.
    """
    shutil.copyfile(head_folder(arm) / HEAD_FILE, folder / HEAD_FILE)
    pool = pool_of(arm)
    write_json(folder / LABELS_FILE, {"labels": list(arm.task.labels), "state": _STATES[pool], "pool": pool})


@torch.no_grad()
def labels_by_head(arm: ArmOfRun, model: Any, folder: Path, prompts: Sequence[list[int]]) -> list[Reply]:
    """The label that the export in `folder` gives each prompt, one prompt at a time through the model's own code."""
    labels, logits = _beside(model, folder) if (folder / HEAD_FILE).is_file() else _within(model)
    replies = []
    for prompt in prompts:
        likely = logits(torch.tensor([prompt], device=model.device)).float().softmax(-1).cpu()
        text = arm.task.format_answer(labels[int(likely.argmax())])
        replies.append(Reply(text, scores=dict(zip(labels, likely.tolist(), strict=True))))
    return replies


def _beside(model: Any, folder: Path) -> tuple[list[str], Callable[[Tensor], Tensor]]:
    """The labels, and the logits that `head.safetensors` gives token ids [1, tokens]."""
    weights, written = load_file(folder / HEAD_FILE), json.loads((folder / LABELS_FILE).read_text(encoding="utf-8"))
    pool = written.get("pool") or {state: pool for pool, state in _STATES.items()}[written["state"]]
    labels, width = weights["weight"].shape
    head = Head(width, labels, pool, bias="bias" in weights)
    head.load_state_dict(weights)

    def logits(ids: Tensor) -> Tensor:
        states = model.eval()(input_ids=ids, output_hidden_states=True).hidden_states[-1][0, soft_tokens(model) :]
        rows = rows_read(pool, ids.shape[1])
        found: Tensor = head(head.pooled(states[rows.start : rows.stop].float().cpu()))
        return found

    return written["labels"], logits


def _within(model: Any) -> tuple[list[str], Callable[[Tensor], Tensor]]:
    """The same of an `AutoModelForSequenceClassification`."""
    labels = [model.config.id2label[i] for i in range(model.config.num_labels)]
    return labels, lambda ids: model.eval()(input_ids=ids).logits[0]


def how_to_use(arm: ArmOfRun, folder: Path) -> list[str]:
    """Lines on the head of the export in `folder` for a reader."""
    prompt = "" if writes(arm.source) else " The text is the user's turn alone, without the instruction."
    if not (folder / HEAD_FILE).is_file():
        return [
            "`AutoModelForSequenceClassification` loads it: `id2label` has the labels in the order of its logits, the "
            f"softmax of which is how probable each label is; the answer is the highest.{prompt}",
            "A layer that its class has in front of the outputs hands them through and does nothing else. To train the "
            "model further, take the adapter.",
        ]
    soft = sum(soft_tokens_of(slot.peft_config("FEATURE_EXTRACTION")) for slot in adapters_of(arm).values())
    pool, text = pool_of(arm), "prompt" if writes(arm.source) else "text"
    which = {"first": soft, "last": -1}.get(pool, f"{soft}:")
    state = f"{text}'s {_STATES[pool]}" if pool in ("first", "last") else f"{text}: the {_STATES[pool]}"
    weighed = " The weights are `softmax(states @ query / hidden_size**0.5)`." if pool == "attention" else ""
    return [
        f"`{HEAD_FILE}` is a linear layer (`weight` [labels, hidden size], perhaps `bias`) on the last hidden state of "
        f"the {state}: `model(**prompt, output_hidden_states=True).hidden_states[-1][0, {which}]`.{weighed}{prompt}",
        f"The answer is the label of its highest output, in the order of `labels` in `{LABELS_FILE}`: "
        f"{', '.join(arm.task.labels)}.",
    ]


def pool_of(arm: ArmOfRun) -> str:
    """A head that was saved before there was a choice reads what its family's do."""
    assert arm.folder is not None
    (head,) = (slot for slot in saved_slots(arm.folder).values() if slot.type == HEAD)
    settings = head.settings if isinstance(head, SlotSettings) else {}
    return str(settings.get("pool") or family_pool(arm.source))
