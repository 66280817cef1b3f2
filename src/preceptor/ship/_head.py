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
from preceptor.models import soft_tokens, soft_tokens_of, writes
from preceptor.ship._slots import adapters_of, head_folder
from preceptor.study import ArmOfRun

HEAD_FILE, LABELS_FILE = "head.safetensors", "head.json"
_LAST, _FIRST = "last token", "first token"


def write_head(arm: ArmOfRun, folder: Path) -> None:
    """Write `head.safetensors`, weight [labels, hidden_size] and bias [labels], and `head.json`: the labels in the
    order of the outputs, and which token's hidden state the head reads.
    """
    shutil.copyfile(head_folder(arm) / HEAD_FILE, folder / HEAD_FILE)
    state = _LAST if writes(arm.source) else _FIRST
    write_json(folder / LABELS_FILE, {"labels": list(arm.task.labels), "state": state})


@torch.no_grad()
def labels_by_head(arm: ArmOfRun, model: Any, folder: Path, prompts: Sequence[list[int]]) -> list[Reply]:
    """The label that the head in `folder` gives each prompt, one prompt at a time through the model's own code."""
    head, written = load_file(folder / HEAD_FILE), json.loads((folder / LABELS_FILE).read_text(encoding="utf-8"))
    token = -1 if written["state"] == _LAST else soft_tokens(model)
    replies = []
    for prompt in prompts:
        ids = torch.tensor([prompt], device=model.device)
        state = model.eval()(input_ids=ids, output_hidden_states=True).hidden_states[-1][0, token].float().cpu()
        highest = int((head["weight"] @ state + head["bias"]).argmax())
        replies.append(Reply(arm.task.format_answer(written["labels"][highest])))
    return replies


def how_to_use(arm: ArmOfRun) -> list[str]:
    """Two lines on it for a reader."""
    soft = sum(soft_tokens_of(slot.peft_config("FEATURE_EXTRACTION")) for slot in adapters_of(arm).values())
    which = -1 if writes(arm.source) else soft
    token = "prompt's last token" if writes(arm.source) else "text's first token"
    prompt = "" if writes(arm.source) else " The text is the user's turn alone, without the instruction."
    return [
        f"`{HEAD_FILE}` is a linear layer (`weight` [labels, hidden size], `bias`) on the last hidden state of the "
        f"{token}: `model(**prompt, output_hidden_states=True).hidden_states[-1][0, {which}]`.{prompt}",
        f"The answer is the label of its highest output, in the order of `labels` in `{LABELS_FILE}`: "
        f"{', '.join(arm.task.labels)}.",
    ]
