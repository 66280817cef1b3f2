"""The Trainer arguments of every stage."""

from math import ceil
from pathlib import Path
from typing import Any

from transformers import TrainingArguments

from preceptor.engine.settings import TrainSettings
from preceptor.models import compute_device


def warmup(asked: int | float, steps: int) -> int:
    """How many of `steps` the learning rate rises in: below 1 a share of them, rounded up, and never all of them.

    The first step of a warm-up has a rate of 0, so a stage of one step that is all warm-up would learn nothing.
    """
    return int(asked) if asked >= 1 else min(ceil(asked * steps), steps - 1)


def training_arguments(
    settings: TrainSettings, folder: Path, *, seed: int, steps: int, every: int, best: str | None, start: bool = False
) -> TrainingArguments:
    """Arguments for a Trainer whose dataset is the list of all optimizer `steps`, one epoch long, in order.

    A checkpoint is written after `every` so many of them; with `best`, each after an evaluation on the validation data,
    and the weights that are best by that figure are loaded in the end. start: the first evaluation is before any step.
    """
    evaluation: dict[str, Any] = {
        "eval_strategy": "steps",
        "eval_steps": every,
        "load_best_model_at_end": True,
        "metric_for_best_model": best,
        "greater_is_better": best != "eval_loss",
        "eval_on_start": start,
    }
    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=1,
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        learning_rate=settings.learning_rate,
        warmup_steps=warmup(settings.warmup_steps, steps),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        lr_scheduler_type="linear",
        seed=seed,
        data_seed=seed,
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        restore_callback_states_from_checkpoint=True,
        remove_unused_columns=False,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        use_cpu=compute_device().type == "cpu",
        disable_tqdm=True,
        report_to="none",
        max_steps=steps,
        save_strategy="steps",
        save_steps=every,
        **(evaluation if best else {}),
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # a step is a list of trees, which DataParallel cannot scatter
    return arguments
