"""TRL's own trainers, given exactly the token ids of our batches and told to train as our settings say."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from datasets import Dataset
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from engine.families import as_text, word_tokenizer
from preceptor.engine import DPOSettings, EncodedPair, SFTSettings
from preceptor.models import Encoded


def dpo_trainer(model: Any, pairs: Sequence[EncodedPair], settings: DPOSettings, folder: Path) -> DPOTrainer:
    """Takes pairs in the order given; the reference is the model as it is now, adapter included."""
    tokenizer = word_tokenizer()
    names = ("prompt", "chosen", "rejected")
    trainer = DPOTrainer(
        model,
        None if hasattr(model, "peft_config") else deepcopy(model),  # of an adapter it keeps a copy itself
        DPOConfig(**_losses(settings), **_arguments(settings, folder)),
        train_dataset=Dataset.from_list([{n: as_text(tokenizer, getattr(pair, n)) for n in names} for pair in pairs]),
        processing_class=tokenizer,
    )
    read = [EncodedPair(row["prompt_ids"], row["chosen_ids"], row["rejected_ids"]) for row in trainer.train_dataset]
    assert read == list(pairs)
    return trainer


def sft_trainer(model: Any, examples: Sequence[Encoded], settings: SFTSettings, folder: Path) -> SFTTrainer:
    """Takes examples in the order given; loss on the answers only."""
    tokenizer = word_tokenizer()
    rows = [{"prompt": as_text(tokenizer, e.prompt), "completion": as_text(tokenizer, e.answer)} for e in examples]
    trainer = SFTTrainer(
        model,
        SFTConfig(completion_only_loss=True, **_arguments(settings, folder)),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    assert [row["input_ids"] for row in trainer.train_dataset] == [e.prompt + e.answer for e in examples]
    return trainer


def _losses(settings: DPOSettings) -> dict[str, Any]:
    # Of TRL's losses label smoothing changes `robust` only; conservative DPO it has not.
    return {
        "beta": settings.beta,
        "loss_type": [settings.loss_type, "sft"],
        "loss_weights": [1.0, settings.sft_weight],
        "label_smoothing": settings.label_smoothing,
    }


def _arguments(settings: DPOSettings | SFTSettings, folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_steps": 1,
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "max_length": None,
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": settings.batch_size,
        "num_train_epochs": 1,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": settings.warmup_steps,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
    }
