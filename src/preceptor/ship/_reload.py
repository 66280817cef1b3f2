"""Reload an export as a user would: with transformers and peft alone, prompts from its own chat template."""

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import torch
from gguf import GGUFReader
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from preceptor.chat_server import Reply
from preceptor.models import Policy, compute_device, load_policy, writes
from preceptor.ship._head import HEAD_FILE, labels_by_head, with_made_field
from preceptor.ship._in_process import replies_as_measured
from preceptor.ship._merge import with_adapters
from preceptor.ship._slots import adapters_of, folders_in_export
from preceptor.study import ArmOfRun
from preceptor.tasks import Example
from preceptor.text_pieces import pieces_of

To = Literal["adapter", "merged", "gguf"]
GGUF_FILE = "model.gguf"


def answers_of_export(
    arm: ArmOfRun, to: To, folder: Path
) -> Callable[[Sequence[Example], Sequence[list[int]]], list[Reply]]:
    """The `Answers` function of the export in `folder` for `short_check`.

    A GGUF file gets the study's token ids: transformers does not read its pre-tokenizer.
    """
    torch.set_num_threads(arm.numerics.threads)
    policy = _load(arm, to, folder)
    write = None if arm.by_head else replies_as_measured(arm, policy)

    def from_messages(examples: Sequence[Example], prompts: Sequence[list[int]]) -> list[Reply]:
        given = with_made_field(folder, examples)
        ids_of = prompts if to == "gguf" else [_prompt(policy.tokenizer, arm.task.messages(one)) for one in given]
        replies = write(examples, ids_of) if write else labels_by_head(arm, policy.model, folder, ids_of)
        return [replace(reply, prompt_tokens=len(ids)) for reply, ids in zip(replies, ids_of, strict=True)]

    return from_messages


def _prompt(tokenizer: Any, messages: Sequence[Any]) -> list[int]:
    ids: list[int]
    if not tokenizer.chat_template:  # an encoder's
        content = "\n".join(turn["content"] for turn in messages if turn["role"] != "system")
        ids = list(chain.from_iterable(tokenizer(pieces_of(content))["input_ids"]))
        return ids
    text: str = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def _load(arm: ArmOfRun, to: To, folder: Path) -> Policy:
    model: Any
    dtype, slots = arm.numerics.torch_dtype, adapters_of(arm) if to == "adapter" else {}
    match to:
        case "adapter":
            model = with_adapters(load_policy(arm.source, None, dtype=dtype).model, folders_in_export(slots, folder))
        case "merged":
            kind: Any = AutoModelForCausalLM if writes(arm.source) else AutoModel
            if arm.by_head and not (folder / HEAD_FILE).is_file():
                kind = AutoModelForSequenceClassification
            model = kind.from_pretrained(folder, dtype=dtype, local_files_only=True)
        case "gguf":
            with contextlib.redirect_stderr(io.StringIO()):  # a progress bar that cannot be disabled
                model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=GGUF_FILE, dtype=torch.float32)
            _apply_rope_factors(model, folder / GGUF_FILE)
    options = {"gguf_file": GGUF_FILE} if to == "gguf" else {}
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **options)
    if to != "adapter":
        model.to(compute_device())
    return Policy(model.requires_grad_(False), tokenizer, arm.source, slots)


def _apply_rope_factors(model: Any, file: Path) -> None:
    """Apply the file's RoPE scaling factors, which transformers does not read."""
    factors = [tensor.data for tensor in GGUFReader(file).tensors if tensor.name == "rope_freqs.weight"]
    for tensor in factors:
        model.model.rotary_emb.inv_freq.div_(torch.from_numpy(tensor.copy()))
