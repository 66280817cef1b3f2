"""Hidden states of training cases, as a trained policy's head reads them: what another model may learn to come near.

They are made once and kept; the policy is only read. They say much of patients, and go when a run is purged.
"""

from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from preceptor.engine import Work, is_encoder, shares_prefixes, states_by_batch, timed, tree_work
from preceptor.files import private_folder, write_atomic
from preceptor.models import heads_of
from preceptor.study.expected_work import WorkContext
from preceptor.study.run.reading import reading
from preceptor.study.stage_tree.stage_context import Context, Result

title = "States"
explanation = "Keeps what a trained model makes of each training case, for another model to learn from."
curves = ()
makes = "targets"

_FILE, _NAME = "states.safetensors", "cases"


class Settings(BaseModel):
    """It has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def needs(stage: str) -> tuple[str, ...]:
    """Nothing but the policy that it comes after."""
    return ()


def data(context: Context) -> list[list[int]]:
    """Prompts of training cases."""
    return [one.prompt for one in context.task.train]


def run(context: Context, data: list[list[int]]) -> Result:
    """Read every case once, and keep its state: [cases, hidden_size] float32, in the order of the training cases."""
    with timed() as cost, torch.no_grad(), context.advance(len(data)) as advance:
        policy = context.policy()
        policy.model.eval()
        (head,) = heads_of(policy.model).values()
        found = torch.empty(len(data), head.in_features)
        tokens, share = context.numerics.tokens_per_tree, shares_prefixes(policy)
        for batch, states in states_by_batch(policy.model, data, head, tokens, share=share, cost=cost):
            found[list(batch)] = states.cpu()
            advance(len(batch))
    private_folder(context.folder)
    write_atomic(context.folder / _FILE, save({_NAME: found.contiguous()}))
    return Result(cost, notes={"states": list(found.shape)})


def read_states(folder: Path) -> Tensor:
    """The states that such a stage kept in its folder: [cases, hidden_size] float32. Raises `InputError` without."""
    with reading(folder / _FILE):
        try:
            return load_file(folder / _FILE)[_NAME]
        except SafetensorError as error:
            raise ValueError("no safetensors") from error


def work(context: WorkContext) -> Work:
    """Each training case is read once."""
    prompts = context.read_by_head([one.prompt for one in context.task.train])
    tokens_per_tree, padded = context.study.numerics.tokens_per_tree, is_encoder(context.model)
    return tree_work("score", prompts, tokens_per_tree, share=context.shares, padded=padded)
