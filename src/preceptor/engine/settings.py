"""Settings of training stages, and the numerics that are fixed once for a whole study."""

from typing import Annotated, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.engine.losses import LabelBalance, LossType

Processes = Annotated[int, Field(ge=1, le=64, exclude_if=lambda count: count == 1)]
"""How many processes train one model together, each on an accelerator of its own where there are any.

One is left out of a study's file and of keys: what was made before there was a choice keeps its name.
"""


WarmupSteps = Annotated[int, Field(ge=0)] | Annotated[float, Field(gt=0, lt=1)]
"""Steps in which the learning rate rises from 0: a whole number, or below 1 a share of all steps, rounded up and
never all of them.

It is `warmup_steps` of transformers. A whole number stays one, so that keys made of it stay what they are.
"""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Numerics(_Settings):
    """What decides the last bits of every number: part of each stage's key, so a resumed run is the same run."""

    dtype: Literal["float32", "bfloat16"] = "float32"
    threads: int = Field(default=2, ge=1, le=1024)
    tokens_per_tree: int = Field(default=1536, ge=64)
    processes: Processes = 1
    answer_dtype: Literal["float32", "bfloat16"] = Field(default="float32", exclude=True)  # no part of a stage's key

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype the backbone's weights are held in."""
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[self.dtype]

    @property
    def answering(self) -> "Numerics":
        """Those in which held-out cases are answered."""
        return self.model_copy(update={"dtype": self.answer_dtype})


class NumericsChoice(_Settings):
    """Numerics as a study asks for them: `auto` is decided once (`choose_numerics`)."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = "auto"
    tokens_per_tree: int = Field(default=1536, ge=64)
    processes: Processes = 1
    answer_dtype: Literal["auto", "float32", "bfloat16"] = "auto"


class TrainSettings(_Settings):
    """What every training stage has: AdamW with linear decay after warm-up, batches and evaluations."""

    learning_rate: float = Field(default=4e-4, gt=0)
    epochs: int = Field(default=3, ge=1)
    batch_size: int = Field(default=8, ge=1)
    warmup_steps: WarmupSteps = 5
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    looks_per_epoch: int = Field(default=1, ge=1)
    """Evaluations on the validation data in each epoch."""


BestBy = Literal["loss", "score"]
"""What the kept evaluation is the best of: the validation loss, or the mean score of greedy answers to the validation
cases, between whose equals the loss decides."""


class SFTSettings(TrainSettings):
    """Learning by example. Stops early when `patience` evaluations in a row have not been better than the best."""

    patience: int = Field(default=2, ge=1)
    looks_per_epoch: int = Field(default=2, ge=1)
    """Two, so that `patience` can end the stage before its last epoch is over."""
    min_steps: int = Field(default=0, ge=0, exclude_if=lambda steps: steps == 0)
    """Optimizer steps before which no evaluation counts against `patience`. 0 by default: how many steps a model needs
    before its validation loss means something depends on the batch and the warm-up, which a study file sets beside it.
    """
    metric_for_best_model: BestBy = Field(default="loss", exclude_if=lambda metric: metric == "loss")
    label_token_weight: float | None = Field(default=0.3, ge=0)
    """Where an answer is one of the task's labels and nothing else, its loss is the cross-entropy over the labels, and
    so many times the mean negative log-likelihood of the right answer's tokens, by which the model learns to write it.
    None: the loss of the tokens alone, as of every other answer; it was the only one before there was a choice.
    """
    label_balance: LabelBalance = "none"
    """Of that loss. `class_weights`: cases are weighed inversely to the frequency of their label among those that are
    trained on. `logit_adjustment`: the log-frequencies are added to the labels' scores, in the loss alone.
    """

    @model_validator(mode="after")
    def _balance_has_an_effect(self) -> Self:
        if self.label_balance != "none" and self.label_token_weight is None:
            raise ValueError(
                "label_balance is of the loss over labels; give label_token_weight a number, or take it out"
            )
        return self


class DPOSettings(TrainSettings):
    """Learning by preference, from the SFT policy as reference. `label_smoothing` is for `sigmoid` and `robust`.

    Ends with the weights of the best evaluation. `score` is the default, for a lower loss on pairs is not yet a better
    answer.
    """

    beta: float = Field(default=0.1, gt=0)
    loss_type: LossType = "sigmoid"
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    sft_weight: float = Field(default=1.0, ge=0)
    learning_rate: float = Field(default=2e-5, gt=0)
    epochs: int = Field(default=1, ge=1)
    warmup_steps: WarmupSteps = 0.1
    """A share, for pairs are few or many. Without one, Adam's bias correction makes the first step +-learning_rate in
    every weight, whatever the size of its gradient: a full-size step in the sign of the noise of one batch of pairs.
    """
    looks_per_epoch: int = Field(default=2, ge=1)
    metric_for_best_model: BestBy = "score"

    @model_validator(mode="after")
    def _smoothing_has_an_effect(self) -> Self:
        if self.label_smoothing and self.loss_type in ("ipo", "hinge"):
            raise ValueError(f"label_smoothing does nothing with loss_type {self.loss_type}; use sigmoid or robust")
        return self
