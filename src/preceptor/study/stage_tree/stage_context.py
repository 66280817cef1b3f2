"""What a stage kind is given, and what it gives back."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

from preceptor.engine import Cost, Numerics, Stage, Tracking, tune
from preceptor.files import digest
from preceptor.models import ModelSource, Policy, Slot, check_handover, load_policy, start_policy
from preceptor.progress import Advance
from preceptor.study.cases import Prepared
from preceptor.study.run.folder import RunFolder
from preceptor.study.spec.stage_entry import Toward
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.ledger import StageOutput

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""`with progress(what, total) as advance:` shows how far a long step is."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a stage came to: its ledger. history: what training logged, step by step. learning: how many numbers
    learned, by slot. notes: all else, JSON values.
    """

    cost: Cost
    history: list[dict[str, float]] | None = None
    learning: Mapping[str, int] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The stage's ledger, but for its kind and key."""
        history = {} if self.history is None else {"history": self.history}
        learning = {"learning": dict(self.learning)} if self.learning else {}
        return {"cost": self.cost.to_json(), **history, **learning, **self.notes}


@dataclass(frozen=True, slots=True)
class Context:
    """All that a stage may depend on.

    tasks: whose cases it learns from, today one. parents: the outputs it comes from, the first of them first. budget:
    floating-point operations to spend, where it goes on for the compute of another arm. folder: where its output goes.
    toward: the output of the stage whose targets it also learns from, and how.
    slots: those that are active; train: the names of those that learn. base_folder: where the study file lies.
    """

    study: Study
    stage: StageRef
    settings: Any
    tasks: tuple[Prepared, ...]
    source: ModelSource
    numerics: Numerics
    seed: int
    run: RunFolder
    folder: Path
    parents: tuple[StageOutput, ...]
    budget: float | None
    progress: Progress
    slots: Mapping[str, Slot] = field(default_factory=dict)
    train: tuple[str, ...] = ()
    votes: Path | None = None
    base_folder: Path = Path()
    toward: tuple[StageOutput, Toward] | None = None

    @property
    def task(self) -> Prepared:
        """The only task."""
        (task,) = self.tasks
        return task

    @property
    def tracking(self) -> Tracking | None:
        """How the study's tracker is told of the stage."""
        what = f"{self.task.task.name}/{self.stage.title}/seed-{self.seed}/{self.folder.name}"
        return self.run.tracking(self.study, what)

    def advance(self, total: int, what: str | None = None) -> AbstractContextManager[Advance]:
        """Show how many of `total` steps are done."""
        return self.progress(f"{self.task.task.name}: {what or self.stage.title}", total)

    def policy(self) -> Policy:
        """The policy of the stage before it, not to be trained."""
        return load_policy(self.source, self.parents[-1].policy, dtype=self.numerics.torch_dtype)

    def start(self) -> Policy:
        """The policy that training starts from: that of the stage before it, else a new one."""
        return _start(self)()

    def tune(self, train: Callable[..., Stage], steps: int) -> Stage:
        """Train a policy from `start` on by `train(policy, ...)`, whose other arguments are given, and save it.

        It may run in several processes, each of which makes the policy itself.
        """
        with self.advance(steps) as advance:
            return tune(_start(self), train, self.folder, self.numerics, advance)


def _start(context: Context) -> Callable[[], Policy]:
    """Makes the policy to train, in whichever process calls it."""
    before = context.parents[-1].policy if context.parents else None
    dtype = context.numerics.torch_dtype
    return partial(_started, context.source, before, context.slots, context.train, seed=context.seed, dtype=dtype)


def _started(source: ModelSource, before: Path | None, *what: Any, **how: Any) -> Policy:
    """As `start_policy` makes it; what the stage before it left is in it to the bit."""
    policy = start_policy(source, before, *what, **how)
    if before is not None:
        check_handover(policy, before)
    return policy


def epochs(settings: Mapping[str, Any]) -> str:
    """`1 epoch`, `3 epochs`."""
    count = settings.get("epochs")
    return f"{count} epoch" if count == 1 else f"{count} epochs"


def data_digest(data: Any) -> str:
    """Names what a stage learns from: nested sequences and mappings of JSON values and of dataclasses."""
    return digest(_plain(data))


def _plain(data: Any) -> Any:
    if is_dataclass(data) and not isinstance(data, type):
        return [_plain(getattr(data, one.name)) for one in fields(data)]
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple) and not all(isinstance(one, int | str) for one in data):
        return [_plain(one) for one in data]
    return data
