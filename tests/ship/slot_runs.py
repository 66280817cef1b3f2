"""Tiny finished studies with named slots, and what their exports must hold."""

import io
import json
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import load_file
from transformers import AutoTokenizer

from preceptor.ship import export
from preceptor.ship._export import Exported
from preceptor.ship._reload import To
from preceptor.study import ArmOfRun, held_out, load_study, run_study
from tiny_study import write_study

QUIET = Console(file=io.StringIO())
SHORT = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "label_token_weight": None}
HEADS = {"epochs": 6, "patience": 6, "batch_size": 8, "learning_rate": 0.03}


def lora(**settings: Any) -> dict[str, Any]:
    return {"type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": "all-linear", **settings}


def finished(folder: Path, model: Path, **changes: Any) -> Path:
    """A tiny study run in `folder`, whose data are found again."""
    file = write_study(folder / "own", model, sft=SHORT, classify=HEADS, **changes)
    study, base = load_study(str(file))
    run_study(study, base, folder / "run", QUIET, command=f"preceptor study {file}")
    return folder / "run"


def checked(arm: ArmOfRun, to: To, folder: Path) -> Exported:
    """The export, which answered all the cases that it was asked as the study did."""
    done = export(arm, to, folder, console=QUIET)
    assert done.parity is not None
    assert done.parity.total == done.parity.same_texts > 0
    return done


def by_hand(arm: ArmOfRun, folder: Path, model: Any, soft: int = 0) -> list[str]:
    """The label of each held-out case, by nothing but the files of the export."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    head, written = load_file(folder / "head.safetensors"), json.loads((folder / "head.json").read_text())
    labels = []
    for example in held_out(arm).shown:
        turns: Any = arm.task.messages(example)
        if tokenizer.chat_template:
            text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            prompt = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        else:
            prompt = tokenizer(turns[-1]["content"], return_tensors="pt")
        with torch.no_grad():
            states = model(input_ids=prompt["input_ids"], output_hidden_states=True).hidden_states[-1][0]
        if written["state"] == "weighted mean of all tokens":
            state = (states @ head["query"] / states.shape[-1] ** 0.5).softmax(0) @ states
        else:
            state = states[{"last token": -1, "first token": soft}[written["state"]]]
        labels.append(written["labels"][int((head["weight"] @ state + head.get("bias", 0)).argmax())])
    return labels


def measured(arm: ArmOfRun) -> list[str]:
    return [one.text for one in arm.predictions]
