"""The head of an arm that answers by one, in an export: written beside the model, and applied to its hidden states."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

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


def write_head(arm: ArmOfRun, folder: Path) -> None:
    """Write `head.safetensors`, weight [labels, hidden_size] and bias [labels], and `head.json`: the labels in the
    order of the outputs, and which hidden states the head reads. An `attention` pool has a `query` [hidden_size] too.
    """
    shutil.copyfile(head_folder(arm) / HEAD_FILE, folder / HEAD_FILE)
    pool = _pool(arm)
    write_json(folder / LABELS_FILE, {"labels": list(arm.task.labels), "state": _STATES[pool], "pool": pool})


@torch.no_grad()
def labels_by_head(arm: ArmOfRun, model: Any, folder: Path, prompts: Sequence[list[int]]) -> list[Reply]:
    """The label that the head in `folder` gives each prompt, one prompt at a time through the model's own code."""
    weights, written = load_file(folder / HEAD_FILE), json.loads((folder / LABELS_FILE).read_text(encoding="utf-8"))
    pool = written.get("pool") or {state: pool for pool, state in _STATES.items()}[written["state"]]
    head = Head(weights["weight"].shape[1], len(weights["bias"]), pool)
    head.load_state_dict(weights)
    replies = []
    for prompt in prompts:
        ids = torch.tensor([prompt], device=model.device)
        states = model.eval()(input_ids=ids, output_hidden_states=True).hidden_states[-1][0, soft_tokens(model) :]
        rows = rows_read(pool, len(prompt))
        highest = int(head(head.pooled(states[rows.start : rows.stop].float().cpu())).argmax())
        replies.append(Reply(arm.task.format_answer(written["labels"][highest])))
    return replies


def how_to_use(arm: ArmOfRun) -> list[str]:
    """Two lines on it for a reader."""
    soft = sum(soft_tokens_of(slot.peft_config("FEATURE_EXTRACTION")) for slot in adapters_of(arm).values())
    pool, text = _pool(arm), "prompt" if writes(arm.source) else "text"
    which = {"first": soft, "last": -1}.get(pool, f"{soft}:")
    state = f"{text}'s {_STATES[pool]}" if pool in ("first", "last") else f"{text}: the {_STATES[pool]}"
    prompt = "" if writes(arm.source) else " The text is the user's turn alone, without the instruction."
    weighed = " The weights are `softmax(states @ query / hidden_size**0.5)`." if pool == "attention" else ""
    return [
        f"`{HEAD_FILE}` is a linear layer (`weight` [labels, hidden size], `bias`) on the last hidden state of the "
        f"{state}: `model(**prompt, output_hidden_states=True).hidden_states[-1][0, {which}]`.{weighed}{prompt}",
        f"The answer is the label of its highest output, in the order of `labels` in `{LABELS_FILE}`: "
        f"{', '.join(arm.task.labels)}.",
    ]


def _pool(arm: ArmOfRun) -> str:
    """A head that was saved before there was a choice reads what its family's do."""
    assert arm.folder is not None
    (head,) = (slot for slot in saved_slots(arm.folder).values() if slot.type == HEAD)
    settings = head.settings if isinstance(head, SlotSettings) else {}
    return str(settings.get("pool") or family_pool(arm.source))
