"""What the controls share: arms that go on from one SFT policy, and the row that says what one came to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.weightstats import DescrStatsW

from preceptor.data import fit
from preceptor.engine import DPOSettings, EncodedPair, Numerics, SFTExample, SFTSettings, Stage, run_dpo, run_sft
from preceptor.models import AdapterSettings, ModelSource, Policy, load_policy, new_policy, save_policy
from preceptor.preferences import Request, Score
from preceptor.study.score import case_score
from preceptor.tasks import Example, Task

SEED = 0
Train = Callable[[Policy, Path], Stage]


@dataclass(frozen=True)
class Row:
    """What an arm came to: the mean of an outcome over held-out patients, with its 95% interval.

    peer: the same of the SFT policy the arm goes on from. steps, dose: optimizer steps, and the sum of their learning
    rates. bound: what `ours` or an end of its interval must keep to, and `holds` whether it does; None where nothing is
    asked.
    """

    what: str
    case: str
    ours: float
    low: float
    high: float
    unit: str
    peer: float | None = None
    steps: int = 0
    dose: float = 0.0
    seconds: float = 0.0
    bound: str | None = None
    holds: bool | None = None

    def must(self, bound: str, holds: bool) -> "Row":
        """The row with what is asked of it."""
        return replace(self, bound=bound, holds=bool(holds))

    def __str__(self) -> str:
        verdict = "" if self.holds is None else f"  {self.bound}: {'holds' if self.holds else 'FAILS'}"
        return (
            f"{self.what:22} {self.case:44} {self.ours:.3f} [{self.low:.3f}, {self.high:.3f}] {self.unit}  "
            f"{self.steps:3} steps, dose {self.dose:.1e}, {self.seconds:4.0f} s{verdict}"
        )


def row(
    what: str, case: str, values: Sequence[float] | NDArray[np.float64], unit: str, stage: Stage | None = None
) -> Row:
    """Of one value a held-out patient; the interval is Student's. stage: the training that came before, if any did."""
    mean = DescrStatsW(np.asarray(values, dtype=float))
    low, high = mean.tconfint_mean()
    rates = [one["learning_rate"] for one in stage.history if "learning_rate" in one] if stage else []
    seconds = stage.cost.seconds if stage else 0.0
    return Row(what, case, float(mean.mean), float(low), float(high), unit, None, len(rates), sum(rates), seconds)


@dataclass(frozen=True)
class Arms:
    """Policies of one model, trained in `folder`."""

    source: ModelSource
    numerics: Numerics
    folder: Path

    def first(self, name: str, train: Train, seed: int = SEED) -> tuple[Policy, Stage]:
        """A policy with a new adapter, trained and saved under `name`."""
        policy = new_policy(self.source, AdapterSettings(), seed=seed, dtype=self.numerics.torch_dtype)
        stage = train(policy, self.folder / f"{name}, checkpoints")
        save_policy(policy, self.folder / name)
        return policy, stage

    def saved(self, name: str, *, trainable: bool = False) -> Policy:
        """The policy that was saved under `name`."""
        return load_policy(self.source, self.folder / name, dtype=self.numerics.torch_dtype, trainable=trainable)

    def after(self, name: str, case: str, train: Train) -> tuple[Policy, Stage]:
        """The policy saved under `name`, trained on."""
        policy = self.saved(name, trainable=True)
        return policy, train(policy, self.folder / f"{case} after {name}, checkpoints")

    def sft(
        self, train: Sequence[SFTExample], validation: Sequence[SFTExample], settings: SFTSettings, seed: int = SEED
    ) -> Train:
        """SFT; it keeps the weights of the lowest validation loss."""
        return lambda policy, folder: run_sft(policy, train, validation, settings, self.numerics, folder, seed=seed)

    def dpo(self, pairs: Sequence[EncodedPair], settings: DPOSettings) -> Train:
        """DPO without validation, so that it ends with its last weights: a control's best have changed least."""
        return lambda policy, folder: run_dpo(policy, pairs, [], settings, self.numerics, folder, seed=SEED)


def request(
    arms: Arms,
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    context: int,
    *,
    samples: int = 1,
    score: Score | None = None,
) -> Request:
    """What a maker of pairs, or whoever draws answers, is given; `score` is by default the task's own metric."""
    room = task.answer.max_new_tokens
    fitted = [fit(task, one, policy.tokenizer, context, max_new_tokens=room) for one in examples]
    return Request(
        task=task,
        examples=examples,
        prompts=[one.encoded.prompt for one in fitted],
        score=score or partial(case_score, task),
        policy=policy,
        numerics=arms.numerics,
        seed=SEED,
        samples=samples,
    )
