"""One optimizer step by transformers' Trainer, or a trainer built on it: the peer's side."""

from typing import Any

from benchmarks._measure import Work, adamw


def trainer_arguments(folder: str, batch_size: int) -> dict[str, Any]:
    """Of its `TrainingArguments`: on the CPU, reporting to nobody."""
    return {
        "output_dir": folder,
        "per_device_train_batch_size": batch_size,
        "report_to": "none",
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "disable_tqdm": True,
    }


def trainer_step(trainer: Any) -> Work:
    """What `trainer.train()` prepares and then repeats, for one batch that holds everything."""
    if trainer.args.activation_checkpointing:
        trainer.model.activation_checkpointing_enable()
    model, trainer.optimizer = trainer.accelerator.prepare(trainer.model, adamw(trainer.model))
    (batch,), items = trainer.get_batch_samples(iter(trainer.get_train_dataloader()), 1, trainer.args.device)
    trainer.current_gradient_accumulation_steps = 1

    def step() -> float:
        loss = trainer.training_step(model, dict(batch), items)
        trainer.optimizer.step()
        model.zero_grad()
        return float(loss)

    return step
