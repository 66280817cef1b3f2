"""The Trainer of one of several processes that train one model together: each walks its own trees of every step."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

from preceptor.engine.cost import Cost, side_by_side
from preceptor.engine.parallel.shard import gathered, learned_weights, put_weights, rank
from preceptor.engine.training.trainer import StepTrainer

_OPTIMIZER_STATE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_OPTIMIZER, _SCHEDULER = "optimizer.pt", "scheduler.pt"


class ShardedTrainer(StepTrainer):
    """To transformers every process is alone with a model; from the same sums all of them take the same decisions.

    The first process writes the checkpoints, of whole weights; all of them read them.
    """

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """One optimizer step; its loss, figures and cost are those of all processes together."""
        before, self.cost = self.cost, Cost()
        own = super().training_step(model, inputs, num_items_in_batch)
        losses, sums, costs = zip(*gathered((float(own), self._sums, self.cost)), strict=True)
        self.cost = before + side_by_side(costs)
        self._sums = {name: sum(one.get(name, 0.0) for one in sums) for name in sorted(set().union(*sums))}
        return own.new_tensor(sum(losses))

    def _look(self) -> dict[str, float]:
        """Figures are gathered where they are computed; their cost here."""
        before, self.cost = self.cost, Cost()
        metrics = super()._look()
        self.cost = before + side_by_side(gathered(self.cost))
        return metrics

    def is_world_process_zero(self) -> bool:
        """Whether this process is the one that tells others how it goes."""
        return rank() == 0

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        self._weights = learned_weights(model)
        # Before the first step there are none, and to ask for them takes a step that AdamW would count.
        asked = self.state.global_step > 0
        self._moments = (
            get_optimizer_state_dict(model, self._own_optimizer, options=_OPTIMIZER_STATE) if asked else None
        )
        if rank() == 0:
            super()._save_checkpoint(model, trial)
        del self._weights, self._moments
        self._point_to_best()
        dist.barrier()

    def _learned(self) -> dict[str, Tensor]:
        return self._weights

    def _put(self, weights: dict[str, Tensor]) -> None:
        own: Any = self.model
        put_weights(own, weights)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        schedule: Any = self.lr_scheduler
        torch.save(self._moments, Path(output_dir) / _OPTIMIZER)
        torch.save(schedule.state_dict(), Path(output_dir) / _SCHEDULER)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        moments = torch.load(Path(checkpoint) / _OPTIMIZER, map_location="cpu", weights_only=True)
        model: Any = self.model
        if moments is not None:
            set_optimizer_state_dict(model, self._own_optimizer, moments, options=_OPTIMIZER_STATE)
        schedule: Any = self.lr_scheduler
        schedule.load_state_dict(torch.load(Path(checkpoint) / _SCHEDULER, weights_only=True))

    @property
    def _own_optimizer(self) -> torch.optim.Optimizer:
        """Under accelerate's wrapping."""
        optimizer: Any = self.optimizer
        own: torch.optim.Optimizer = getattr(optimizer, "optimizer", optimizer)
        return own
