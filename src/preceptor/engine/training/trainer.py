"""transformers' Trainer, fed with whole optimizer steps and made safe against a crash at any moment."""

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from preceptor.engine.cost import Cost, backward_factor, peak_memory, start_peak_memory
from preceptor.engine.tree.logprobs import dummy_loss
from preceptor.errors import InputError, Problem
from preceptor.files import publish_folder, write_json
from preceptor.progress import Advance

WEIGHTS = "weights.safetensors"
"""What of a checkpoint holds the weights that learn."""
TreeLoss = Callable[[nn.Module, Any, Cost], tuple[Tensor, dict[str, float]]]
"""Loss of one tree, already divided by what the whole step holds, and sums to log."""


class StepTrainer(Trainer):
    """Walks the trees of a step and adds up their gradients. Its checkpoints are whole or absent.

    Item i of `steps` has the trees of optimizer step i; None where other processes have one and this one has not.

    Trainer writes straight into the folder it later resumes from; here a checkpoint is written aside, flushed to
    disk and renamed, and carries the cost so far.
    """

    def __init__(
        self,
        model: nn.Module,
        arguments: TrainingArguments,
        steps: Sequence[list[Any]],
        tree_loss: TreeLoss,
        validate: Callable[[Cost], dict[str, float]] | None,
        callbacks: list[TrainerCallback],
        advance: Advance,
    ) -> None:
        dataset: Any = steps
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=dataset,
            eval_dataset=[] if validate else None,
            data_collator=lambda batch: {"trees": _only(batch)},
            callbacks=[*callbacks, _Progress(advance)],
        )
        self.remove_callback(PrinterCallback)  # figures go into the ledger, progress into the bar
        self.cost = Cost()
        self._since = time.perf_counter()
        start_peak_memory()
        self._tree_loss = tree_loss
        self._validate = validate
        self._home = Path(str(arguments.output_dir))

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """One optimizer step: forward and backward tree by tree, so that memory is one tree's.

        In evaluation mode, because dropout of the backbone would part a policy from itself as its reference.
        """
        model.eval()
        total = torch.zeros((), device=self.args.device)
        self._sums: dict[str, float] = {}
        spent = Cost(optimizer_steps=1)
        for tree in inputs["trees"]:
            loss, sums = (dummy_loss(model), {}) if tree is None else self._tree_loss(model, tree, spent)
            self.accelerator.backward(loss)
            total += loss.detach()
            for name, value in sums.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
        spent.flops *= backward_factor(model)
        self.cost += spent
        return total

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the step's own figures (rewards, margins) to Trainer's, and end a run that has diverged.

        Raises InputError before such weights reach a checkpoint.
        """
        if "loss" in logs:
            logs |= self._sums
        if not math.isfinite(sum(logs.get(name, 0.0) for name in ("loss", "grad_norm", "eval_loss", "eval_kl"))):
            what = "the loss or its gradient is no longer a number"
            fix = f"Lower learning_rate (it is {self.args.learning_rate:g})"
            raise InputError(Problem(f"optimizer step {self.state.global_step}", what, fix))
        first_margin = logs.pop("first_margin", None)
        super().log(logs, start_time)
        if first_margin is not None:  # a check of ours, kept with the history; trackers know TRL's names only
            self.state.log_history[-1]["first_margin"] = first_margin

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The figures of an evaluation; what it costs is part of the stage.

        One before the first step (`eval_on_start`) is followed by a checkpoint: the weights that the stage starts from
        are kept unless a later evaluation is better.
        """
        metrics = self._look()
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        if self.state.global_step == 0:
            self._determine_best_metric(metrics, None)
            model: Any = self.model
            self._save_checkpoint(model, None)
        return metrics

    def _look(self) -> dict[str, float]:
        assert self._validate is not None
        self.lap()  # whoever times its own work begins a new high-water mark of memory
        spent = Cost()
        metrics = self._validate(spent)
        self.cost += replace(spent, seconds=0.0, evaluation_flops=spent.flops)
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        better = is_better(metrics, self.state, self.args)
        if better:
            self.state.best_metric = metrics[str(self.args.metric_for_best_model)]
            self.state.best_global_step = self.state.global_step
        return better

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Counted by ourselves, per distinct token."""
        return 0

    def lap(self) -> None:
        """Add the time since the last lap to the cost: all of the stage's time, optimizer and saving included."""
        now = time.perf_counter()
        self.cost += Cost(seconds=now - self._since, peak_memory_bytes=peak_memory())
        self._since = now

    def resume(self) -> Path | None:
        """The newest checkpoint; one that a crash left half-written has no name yet."""
        found = sorted((one.parent for one in self._home.glob(f"checkpoint-*/{WEIGHTS}")), key=step_of)
        if not found:
            return None
        self.cost = Cost(**json.loads((found[-1] / "cost.json").read_text(encoding="utf-8")))
        return found[-1]

    def _init_training_state(self, *args: Any, **kwargs: Any) -> tuple[int, int]:
        trained = super()._init_training_state(*args, **kwargs)
        self._point_to_best()
        if self.control.should_training_stop:  # stopped early, then killed before its output was kept
            return self.state.num_train_epochs, 0
        return trained

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        aside = self._home / ".aside"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        self.args.output_dir = str(aside)
        try:
            super()._save_checkpoint(model, trial)
        except (RuntimeError, SafetensorError):
            _raise_what_the_disk_says(aside, 3 * sum(weight.nbytes for weight in self._learned().values()))
            raise
        finally:
            self.args.output_dir = str(self._home)
        name = f"checkpoint-{self.state.global_step}"
        self.lap()
        self._point_to_best()
        self.state.save_to_json(str(aside / name / "trainer_state.json"))
        write_json(aside / name / "cost.json", self.cost.to_json())
        publish_folder(aside / name, self._home / name)
        for old in self._home.glob("checkpoint-*"):
            if old.name not in {name, f"checkpoint-{self.state.best_global_step}"}:
                shutil.rmtree(old)

    def _learned(self) -> dict[str, Tensor]:
        """The weights that learn, by their names in the model: what a checkpoint holds of it."""
        own: Any = self.model
        return {name: weight.detach().cpu() for name, weight in own.named_parameters() if weight.requires_grad}

    def _put(self, weights: dict[str, Tensor]) -> None:
        own: Any = self.model
        learned = dict(own.named_parameters())
        with torch.no_grad():
            for name, weight in weights.items():
                learned[name].copy_(weight)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        # peft's own saving knows adapters only, and its loading leaves one of several active.
        folder = Path(str(output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: one.contiguous() for name, one in self._learned().items()}, folder / WEIGHTS)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        self._put(load_file(Path(resume_from_checkpoint) / WEIGHTS))

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))

    def _point_to_best(self) -> None:
        # Trainer remembers where the best checkpoint was written; ours has moved, and the run folder may have too.
        if self.state.best_global_step is not None:
            self.state.best_model_checkpoint = str(self._home / f"checkpoint-{self.state.best_global_step}")


def _raise_what_the_disk_says(folder: Path, size: int) -> None:
    """Raises the OSError that a file of `size` bytes meets in `folder`, if any: torch hides its number."""
    (folder / "probe").write_bytes(bytes(size))


def is_better(metrics: dict[str, float], state: TrainerState, args: TrainingArguments) -> bool:
    """Whether an evaluation is better than the best before it. Between equal scores the loss decides, where there is
    one; what is equal in both is not better.
    """

    def rank(look: dict[str, float]) -> list[float]:
        loss = -look.get("eval_loss", 0.0)
        return [look["eval_score"], loss] if args.metric_for_best_model == "eval_score" else [loss]

    if state.best_global_step is None:
        return True
    before = {row["step"]: row for row in state.log_history if {"eval_loss", "eval_score"} & row.keys()}
    return rank(metrics) > rank(before[state.best_global_step])


class Patience(EarlyStoppingCallback):
    """Ends a stage after so many evaluations in a row that were no better, none before optimizer step `min_steps`."""

    def __init__(self, early_stopping_patience: int, min_steps: int = 0) -> None:
        super().__init__(early_stopping_patience)
        self.min_steps = min_steps

    def check_metric_value(self, args: Any, state: Any, control: Any, metric_value: float) -> None:
        """Count an evaluation, which is the newest in the history."""
        newest = next(row for row in reversed(state.log_history) if str(args.metric_for_best_model) in row)
        if is_better(newest, state, args):
            self.early_stopping_patience_counter = 0
        elif state.global_step >= self.min_steps:
            self.early_stopping_patience_counter += 1

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        kept: dict[str, Any] = super().state()
        arguments = {"early_stopping_patience": self.early_stopping_patience, "min_steps": self.min_steps}
        return kept | {"args": arguments}


class EvaluateAtTheEnd(TrainerCallback):
    """Trainer evaluates every so many steps only; without this, the last weights could not be chosen."""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for an evaluation after the last step."""
        if state.global_step == state.max_steps:
            control.should_evaluate = True


class _Progress(TrainerCallback):
    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._advance(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._advance(1)


def _only(batch: list[Any]) -> Any:
    """The one item of a batch: an item is a whole optimizer step already."""
    (step,) = batch
    return step


def step_of(checkpoint: Path) -> int:
    """How many optimizer steps were done when it was written."""
    return int(checkpoint.name.rsplit("-", 1)[1])
