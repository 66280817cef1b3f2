"""Preference pairs: a maker gives each case a better and a worse answer, for a stage that learns from pairs."""

import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from preceptor.engine import Work
from preceptor.preferences import ChosenFrom, Pair, Request, filter_pairs, find_maker, voted_pairs
from preceptor.study.cases import Prepared
from preceptor.study.expected_work import WorkContext
from preceptor.study.score import case_score
from preceptor.study.spec.stages import StageRef
from preceptor.study.stage_tree.stage_context import Context, Result
from preceptor.study.stages._pair_cases import pair_cases, split_pairs
from preceptor.study.stages._pair_files import PAIRS, write_pairs
from preceptor.study.stages._pair_work import expected_work, making_pairs

title = "pairs"
explanation = "Makes pairs of a better and a worse answer to training cases."
curves = ()
makes = "pairs"


class Settings(BaseModel):
    """How many training cases get pairs; where answers are sampled, how many a case, and at which temperature.

    min_gap, min_score: of a pair that is made by the task's metric, how much more the chosen answer must score than the
    rejected one, and how much at least. max_length_difference: the share by which it may be longer or shorter, so that
    length is not what is learned (0.25: a quarter).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    limit: int | None = Field(default=None, gt=0)
    samples: int = Field(default=4, ge=2, le=64)
    temperature: float = Field(default=1.0, gt=0, le=2)
    chosen_from: ChosenFrom = "samples"
    """`on_policy`: the best of the sampled answers, or the right answer."""
    min_gap: float = Field(default=0.0, ge=0, lt=1)
    min_score: float = Field(default=0.0, ge=0, le=1)
    max_length_difference: float | None = Field(default=None, gt=0)
    order: Literal["given", "flipped", "random"] = "given"
    """Controls of preference learning: chosen and rejected exchanged in all pairs, or in half of them, drawn by lot."""


def needs(stage: str) -> tuple[str, ...]:
    """Nothing but the policy before it."""
    return ()


def unsupported_reason(stage: StageRef, prepared: Prepared) -> str | None:
    """Why its maker has nothing to work with on a task; None where it has, and where each case has its own maker."""
    if stage.source is None:
        return None
    why = find_maker(stage.source).unsupported_reason(prepared.task, prepared.splits.train)
    return f"its pairs come from {stage.source}: {why}" if why else None


def inputs(context: Context) -> dict[str, Any]:
    """What the pairs depend on beside the cases and the policy: the task, and their maker with its settings."""
    maker = context.stage.source
    named = {"maker": maker} if maker else {}
    values: dict[str, Any] = {name: _value_of(name, context) for name in find_maker(maker).settings}
    order = {} if context.settings.order == "given" else {"order": context.settings.order}
    return {"task": context.task.task.model_dump(), **named, **values, **order}


def data(context: Context) -> list[Any]:
    """The cases that get pairs: how many of them are training cases, and what each is."""
    cases = pair_cases(context.task, context.settings.limit, context.seed, context.stage.source)
    both = zip(cases.examples, cases.encoded, strict=True)
    return [cases.trained_on, [[example.id, example.target, example.rejected, case.prompt] for example, case in both]]


def run(context: Context, data: list[Any]) -> Result:
    """Make the pairs, filter them, and write them to the stage's folder."""
    study, prepared, maker, seed = context.study, context.task, context.stage.source, context.seed
    cases = pair_cases(prepared, context.settings.limit, seed, maker)
    score = partial(case_score, prepared.task)
    with context.advance(len(cases.examples), "making pairs") as advance:
        request = Request(
            task=prepared.task,
            examples=cases.examples,
            prompts=[one.prompt for one in cases.encoded],
            score=score,
            policy=context.policy(),
            numerics=context.numerics,
            seed=seed,
            samples=context.settings.samples,
            temperature=context.settings.temperature,
            chosen_from=context.settings.chosen_from,
            min_gap=context.settings.min_gap,
            min_score=context.settings.min_score,
            max_length_difference=context.settings.max_length_difference,
            judge=study.judge,
            judgement_log=context.folder / "judged.jsonl",
            votes=context.votes,
            advance=advance,
        )
        made = find_maker(maker).make(request)
    (train, report), (validation, _) = (
        filter_pairs(part, cases.examples, prepared.task, score)
        for part in split_pairs(made.pairs, prepared, maker, seed)
    )
    train, validation = (in_order(part, context.settings.order, f"{seed} {maker}") for part in (train, validation))
    write_pairs(context.folder / PAIRS, train, validation)
    trained_on = {example.id for example in cases.examples[: cases.trained_on]}
    with_pair = trained_on & {pair.example_id for pair in (*train, *validation)}
    notes = {
        "pairs": report.makers,
        "without_pair": cases.passed_over + len(trained_on) - len(with_pair),
        "findings": asdict(report)
        | {"notes": made.notes, "label_ties": made.label_ties, "order": context.settings.order},
    }
    return Result(made.cost, notes=notes)


def work(context: WorkContext) -> Work:
    """What the policy does to make them; how fast a judge answers is not known."""
    maker = context.stage.source if context.stage else None
    cases = pair_cases(context.task, context.settings.limit, 0, maker)
    return making_pairs(context, cases, expected_work(context.task, cases, maker, context.settings.samples))


def in_order(pairs: Sequence[Pair], order: str, seed: str) -> list[Pair]:
    """The pairs as they are `given`, all `flipped`, or with half of them flipped: exactly half, so that what they teach
    cancels out.
    """
    flipped = {"given": 0, "random": len(pairs) // 2, "flipped": len(pairs)}[order]
    turned = set(random.Random(seed).sample(range(len(pairs)), flipped))
    return [
        replace(pair, chosen=pair.rejected, rejected=pair.chosen) if number in turned else pair
        for number, pair in enumerate(pairs)
    ]


def _value_of(setting: str, context: Context) -> Any:
    """The value of one setting that a maker's pairs depend on."""
    match setting:
        case "judge":
            assert context.study.judge is not None
            return context.study.judge.model_dump()
        case "votes":  # the consensus in the store, wherever it lies
            assert context.votes is not None
            pairs = voted_pairs(context.votes, context.task.task, context.task.splits.train).pairs
            return [[pair.example_id, pair.chosen, pair.rejected] for pair in pairs]
        case _:
            return getattr(context.settings, setting)
