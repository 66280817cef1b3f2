"""The peer's side for adapters: PEFT on transformers' own forward, the same token ids, weights and optimizer."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from peft import get_peft_model
from torch import nn
from transformers import AutoModelForCausalLM

from benchmarks._measure import Work, adamw
from preceptor.models import Encoded, Policy

IGNORED = -100
"""The label of a token whose loss transformers leaves out."""


def sft_step(policy: Policy, examples: Sequence[Encoded]) -> Work:
    """One optimizer step on all examples as one batch, padded to the longest, with the adapter that `policy` has."""
    (name, slot), *_ = policy.slots.items()
    base = AutoModelForCausalLM.from_pretrained(policy.source.location, dtype=torch.float32, local_files_only=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        model: Any = get_peft_model(base, slot.peft_config("CAUSAL_LM"), adapter_name=name)
    learning = {path: weight for path, weight in policy.model.named_parameters() if weight.requires_grad}
    if model.load_state_dict(learning, strict=False).unexpected_keys:
        raise RuntimeError("PEFT calls the weights of the adapter by other names")
    batch = {
        "input_ids": _padded([one.prompt + one.answer for one in examples], 0),
        "attention_mask": _padded([[1] * len(one.prompt + one.answer) for one in examples], 0),
        "labels": _padded([[IGNORED] * len(one.prompt) + one.answer for one in examples], IGNORED),
    }
    model.eval()
    optimizer = adamw(model)

    def step() -> float:
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    return step


def _padded(rows: Sequence[list[int]], fill: int) -> torch.Tensor:
    """[rows, longest]"""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=fill)
