"""How much work stages and answers will be, as their files count it, and how long it will take on this machine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from preceptor.engine import (
    ModelBytes,
    Numerics,
    Speed,
    Unit,
    Work,
    flops_of,
    measure,
    model_bytes,
    release_memory,
    tree_work,
)
from preceptor.models import BACKBONE, ModelSource, Policy, blueprint, layers_of, random_model, start_policy
from preceptor.progress import Advance, quiet
from preceptor.study.asked_items import Item
from preceptor.study.cases import Prepared
from preceptor.study.expected_work import WorkContext
from preceptor.study.plan.remaining import RemainingWork
from preceptor.study.spec.found import find_answer, find_kind
from preceptor.study.spec.stacks import most_slots, slots_of
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study

AtWork = tuple[str | None, Numerics]
"""A model of a study by its name, None for the study's, and the numerics in which it works."""
Measured = Mapping[AtWork, tuple[Speed, nn.Module]]
"""How fast each is, and the model without numbers."""

_MEASURED_BYTES = 800_000_000
"""Of a model whose layers are larger, some are measured in place of all."""


def stage_work(
    study: Study, prepared: Prepared, stage: StageRef, model: nn.Module, base_folder: Path, *, shares: bool
) -> Work:
    """What one stage does; training may stop earlier. Nothing where its file does not count it."""
    works = [stage_work(study, prepared, one, model, base_folder, shares=shares) for one in stage.budget_stages]
    training = [unit for work in works for unit in work if not unit.look]
    spent = flops_of(training, model) if works else None
    settings, given = study.settings_of(stage, prepared.entry), prepared.given_to(stage, study.seeds[0])
    context = WorkContext(
        study,
        settings,
        given,
        model,
        shares,
        stage,
        spent=spent,
        base_folder=base_folder,
        slots=slots_of(study, stage)[0],
    )
    return _counted(find_kind(stage.kind), context)


def answer_work(study: Study, prepared: Prepared, arm: str, model: nn.Module, *, shares: bool) -> Work:
    """What the arm's answers to the held-out cases take of the model: nothing where no policy is asked."""
    one, last = study.arm(arm), study.stage_of(arm)
    settings, slots = study.block(one.answer), slots_of(study, last)[0] if last else {}
    given = prepared.given_to(one, study.seeds[0])
    context = WorkContext(study, settings, given, model, shares, trained=one.trained, slots=slots)
    return _counted(find_answer(one.answer), context)


def outcome_work(items: Sequence[Item], tokens_per_tree: int, *, shares: bool) -> Work:
    """What an outcome's items take of the model that is asked them."""
    pieces = [[piece] for item in items for text in item.texts for piece in text]
    return tree_work("score", pieces, tokens_per_tree, share=shares)


def _counted(member: Any, context: WorkContext) -> Work:
    work: Work = member.work(context) if hasattr(member, "work") else []
    return work


def models_at_work(study: Study, remaining: Sequence[RemainingWork], numerics: Numerics) -> dict[AtWork, bool]:
    """The models that remaining work asks, in the numerics in which they are trained and answer, and whether stages do
    so, or answers alone.
    """
    stages = [(stage.model, numerics) for one in remaining for stage in one.stages]
    answers = [study.arm(arm) for one in remaining for arm in one.answers]
    asked = [(arm.model, numerics.answering) for arm in answers if find_answer(arm.answer).asks_policy]
    asked += [(study.arm(left.arm).model, numerics.answering) for one in remaining for left in one.outcomes]
    return dict.fromkeys(asked, False) | dict.fromkeys(stages, True)


def forecast(
    study: Study, remaining: Sequence[RemainingWork], measured: Measured, base_folder: Path, numerics: Numerics
) -> float:
    """About how many seconds remaining work takes. How fast a server answers is not known."""
    total = 0.0
    for one in remaining:
        for stage, shares in one.stages.items():
            speed, model = measured[stage.model, numerics]
            work = stage_work(study, one.prepared, stage, model, base_folder, shares=speed.shares)
            total += speed.seconds(work) * sum(shares)
        for arm, shares in one.answers.items():
            seconds = known_seconds(study, arm)
            if seconds is None:
                speed, model = measured[study.arm(arm).model, numerics.answering]
                seconds = speed.seconds(answer_work(study, one.prepared, arm, model, shares=speed.shares))
            total += seconds * sum(shares)
        for left in one.outcomes:
            speed, _ = measured[study.arm(left.arm).model, numerics.answering]
            total += (
                speed.seconds(outcome_work(left.items, study.numerics.tokens_per_tree, shares=speed.shares))
                * left.share
            )
    return total


def known_seconds(study: Study, arm: str) -> float | None:
    """How long an arm answers whose policy is not asked, as its file says; None where it must be worked out."""
    way = find_answer(study.arm(arm).answer)
    return None if way.asks_policy else float(getattr(way, "seconds", 0.0))


def read_somehow(study: Study, prepared: Prepared, model: str | None) -> Prepared | None:
    """The cases in tokens of a model, as the first of its arms is shown them, else as the task's prompt or the first
    view that it can read does; None where it reads none.
    """
    arms = [arm for arm in study.resolved.values() if arm.model == model and find_answer(arm.answer).asks_policy]
    views = [prepared.seen(arm.view) for arm in arms if arm.view is None or arm.view in prepared.views]
    shown = (*views, prepared, *prepared.views.values())
    return next((one.read_by(model) for one in shown if model is None or model in one.others), None)


def measure_speed(
    study: Study,
    numerics: Numerics,
    source: ModelSource,
    prepared: Prepared,
    folder: Path,
    advance: Advance = quiet,
    *,
    name: str | None = None,
    trains: bool = True,
) -> Speed:
    """Measure a model of the study on the study's own cases; `advance` counts `MEASUREMENTS`. prepared: the cases in
    tokens of the model. folder: on whose disk.

    Where its weights are not here, random ones do; of a large model, a few layers. name: that of the model among the
    study's `models`; None for its `model`. trains: whether stages train it, or it only answers.
    """
    slots, dtype = most_slots(study, name), numerics.torch_dtype
    whole = model_bytes(source, tuple(slots.items()), dtype, numerics.tokens_per_tree)
    layers, token = layers_to_measure(source, whole), [Unit("train", tokens=1)]
    every = layers == whole.layers
    scale = 1.0 if every else flops_of(token, whole.model) / flops_of(token, blueprint(source, slots, dtype, layers))

    def make() -> Policy:
        if every and not source.load_in_4bit and any(source.location.glob("*.safetensors")):
            return start_policy(source, None, slots, slots or [BACKBONE], seed=0, dtype=dtype)
        return Policy(random_model(source, slots, dtype, layers), None, source, slots)

    speed = measure(make, prepared.train, numerics, folder, advance, scale, trains=trains)
    release_memory()
    return speed


def layers_to_measure(source: ModelSource, model: ModelBytes) -> int:
    """All, or whole periods of them."""
    layers, period = layers_of(source)
    fitting = int(_MEASURED_BYTES * layers / (model.weights - model.outside))
    return min(layers, max(1, fitting // period) * period)
