"""The peer's side: a step of TRL's own trainers on the same token ids, the same adapter and the same optimizer."""

import os
from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import torch
from datasets import Dataset
from huggingface_hub import constants
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from benchmarks._measure import Work
from benchmarks._trainer import trainer_arguments, trainer_step
from preceptor.engine import EncodedPair
from preceptor.errors import PreceptorError
from preceptor.models import AdapterSettings, Encoded, ModelSource, load_tokenizer

constants.HF_HUB_DISABLE_TELEMETRY = True  # TRL would report every trainer it makes
datasets.disable_progress_bars()
os.environ["TQDM_DISABLE"] = "1"

_PLAIN = {"bf16": False, "gradient_checkpointing": False, "max_length": None}


def dpo_step(
    source: ModelSource,
    pairs: Sequence[EncodedPair],
    *,
    precomputed: bool = False,
    as_it_comes: bool = False,
    model: Any = None,
) -> Work:
    """One optimizer step on all pairs; with `as_it_comes` by TRL's own defaults: bf16, checkpointing, max_length 1024.

    The adapter is new, so the reference is the model without it. `model`, on an accelerator, stands in for the one of
    `source`, whose tokenizer is then used alone. Raises PreceptorError when TRL reads other tokens.
    """
    tokenizer = load_tokenizer(source)
    columns = {
        "prompt": [tokenizer.decode(pair.prompt) for pair in pairs],
        "chosen": [tokenizer.decode(pair.chosen) for pair in pairs],
        "rejected": [tokenizer.decode(pair.rejected) for pair in pairs],
    }
    with TemporaryDirectory() as folder:
        trainer = DPOTrainer(
            _model(source) if model is None else model,
            args=DPOConfig(
                **trainer_arguments(folder, len(pairs)) | {"use_cpu": model is None},
                **({} if as_it_comes else _PLAIN),
                precompute_ref_log_probs=precomputed,
            ),
            train_dataset=Dataset.from_dict(columns),
            processing_class=tokenizer,
            peft_config=_adapter(),
        )
    read = [(row["prompt_ids"], row["chosen_ids"], row["rejected_ids"]) for row in trainer.train_dataset]
    if read != [(pair.prompt, pair.chosen, pair.rejected) for pair in pairs]:
        raise PreceptorError("TRL reads other tokens than ours from the text of the pairs")
    return trainer_step(trainer)


def sft_step(source: ModelSource, examples: Sequence[Encoded], *, packing: bool) -> Work:
    """One optimizer step on all examples, padded (TRL's default) or packed into one row.

    On a CPU a packed row has no FlashAttention: transformers gives `sdpa` a mask that keeps the examples apart.
    """
    sequences = [example.prompt + example.answer for example in examples]
    columns = {
        "input_ids": sequences,
        "labels": [[-100] * len(example.prompt) + example.answer for example in examples],
    }
    with TemporaryDirectory() as folder:
        trainer = SFTTrainer(
            _model(source),
            args=SFTConfig(
                **trainer_arguments(folder, len(examples)),
                **_PLAIN | {"packing": packing, "max_length": sum(map(len, sequences)) if packing else None},
            ),
            train_dataset=Dataset.from_dict(columns),
            processing_class=load_tokenizer(source),
            peft_config=_adapter(),
        )
    return trainer_step(trainer)


def _model(source: ModelSource) -> Any:
    return AutoModelForCausalLM.from_pretrained(source.location, dtype=torch.float32, local_files_only=True)


def _adapter() -> LoraConfig:
    same = AdapterSettings()
    return LoraConfig(
        task_type="CAUSAL_LM", r=same.rank, lora_alpha=same.alpha, lora_dropout=0.0, target_modules="all-linear"
    )
