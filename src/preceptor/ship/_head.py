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
from preceptor.models import soft_tokens, soft_tokens_of, writes
from preceptor.ship._slots import adapters_of, head_folder
from preceptor.study import ArmOfRun

HEAD_FILE, LABELS_FILE = "head.safetensors", "head.json"
_LAST, _FIRST = "last token", "first token"


def head_weights(arm: ArmOfRun) -> dict[str, Tensor]:
    """`weight` [labels, hidden_size] and, of an encoder's head, `bias` [labels]."""
    return load_file(head_folder(arm) / HEAD_FILE)


def pool_of(arm: ArmOfRun) -> str:
    """Which token's hidden state the head reads: the `first`, or the `last`."""
    return "last" if writes(arm.source) else "first"


def write_head(arm: ArmOfRun, folder: Path) -> None:
    """Write `head.safetensors`, see `head_weights`, and `head.json`: the labels in the order of the outputs, and which
    token's hidden state the head reads.
    """
    shutil.copyfile(head_folder(arm) / HEAD_FILE, folder / HEAD_FILE)
    state = _LAST if pool_of(arm) == "last" else _FIRST
    write_json(folder / LABELS_FILE, {"labels": list(arm.task.labels), "state": state})


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
    head, written = load_file(folder / HEAD_FILE), json.loads((folder / LABELS_FILE).read_text(encoding="utf-8"))
    token = -1 if written["state"] == _LAST else soft_tokens(model)

    def logits(ids: Tensor) -> Tensor:
        state = model.eval()(input_ids=ids, output_hidden_states=True).hidden_states[-1][0, token].float().cpu()
        return torch.nn.functional.linear(state, head["weight"], head.get("bias"))

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
    which = -1 if writes(arm.source) else soft
    token = "prompt's last token" if writes(arm.source) else "text's first token"
    return [
        f"`{HEAD_FILE}` is a linear layer (`weight` [labels, hidden size], perhaps `bias`) on the last hidden state of "
        f"the {token}: `model(**prompt, output_hidden_states=True).hidden_states[-1][0, {which}]`.{prompt}",
        f"The answer is the label of its highest output, in the order of `labels` in `{LABELS_FILE}`: "
        f"{', '.join(arm.task.labels)}.",
    ]
