"""Preference pairs: a maker gives each case a better and a worse answer, for a stage that learns from pairs."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from preceptor.engine import Workload
from preceptor.preferences import cannot_make
from preceptor.study.cases import Prepared
from preceptor.study.spec.stages import StageRef
from preceptor.study.stage_tree.context import Context, Result
from preceptor.study.stages._make_pairs import maker_settings, work_on_pairs
from preceptor.study.stages._pair_files import pair_cases
from preceptor.study.stages._pair_work import making_pairs
from preceptor.study.work import WorkContext

title = "pairs"
explanation = "Makes pairs of a better and a worse answer to training cases."
curves = ()
makes = "pairs"


class Settings(BaseModel):
    """How many training cases get pairs; and where answers are sampled, how many a case, and at which temperature."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int | None = Field(default=None, gt=0)
    samples: int = Field(default=4, ge=2, le=64)
    temperature: float = Field(default=1.0, gt=0, le=2)


def needs(stage: StageRef) -> tuple[str, ...]:
    """Nothing but the policy before it."""
    return ()


def unsupported_reason(stage: StageRef, prepared: Prepared) -> str | None:
    """Why its maker has nothing to work with on a task; None where it has."""
    why = cannot_make(stage.source, prepared.task, prepared.splits.train) if stage.source else None
    return f"its pairs come from {stage.source}: {why}" if why else None


def inputs(context: Context) -> dict[str, Any]:
    """What the pairs depend on beside the cases and the policy: the task, and what their maker uses."""
    task = context.task
    used = maker_settings(context.stage.source, context.study, task, context.votes)
    return {"task": task.task.model_dump(), **used}


def data(context: Context) -> list[Any]:
    """The cases that get pairs: how many of them are training cases, and what each is."""
    cases = pair_cases(context.task, context.settings.limit, context.seed, context.stage.source)
    asked = zip(cases.examples, cases.encoded, strict=True)
    return [cases.trained_on, [[example.id, example.target, example.rejected, case.prompt] for example, case in asked]]


def run(context: Context, data: list[Any]) -> Result:
    """Make the pairs, filter them, and write them to the stage's folder."""
    cases = pair_cases(context.task, context.settings.limit, context.seed, context.stage.source)
    with context.advance(len(cases.examples), "making pairs") as advance:
        return work_on_pairs(
            context.stage.source,
            context.study,
            context.task,
            cases,
            context.policy(),
            context.numerics,
            context.folder,
            seed=context.seed,
            store=context.votes,
            advance=advance,
        )


def work(context: WorkContext) -> Workload:
    """What the policy does to make them; how fast a judge answers is not known."""
    maker = context.stage.source if context.stage else None
    cases = pair_cases(context.task, context.settings.limit, 0, maker)
    return making_pairs(context, cases, maker, context.settings.samples)
