"""How much work each stage and each arm's answers will be, as their files count it."""

from typing import Any

from torch import nn

from preceptor.engine import Work, flops_of
from preceptor.study.cases import Prepared
from preceptor.study.expected_work import WorkContext
from preceptor.study.predictions.answering import arms_for
from preceptor.study.spec.found import find_answer, find_kind
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study


def stages_for(study: Study, prepared: Prepared) -> list[StageRef]:
    """Every stage that the arms which can answer a task rest on, each once, in an order in which they can be done."""
    last = [stage for arm in arms_for(study, prepared) if (stage := study.stage_of(arm))]
    return list(dict.fromkeys(stage for one in last for stage in one.required))


def stage_work(study: Study, prepared: Prepared, stage: StageRef, model: nn.Module, *, shares: bool) -> Work:
    """What one stage does; training may stop earlier. Nothing where its file does not count it."""
    spent = [flops_of(stage_work(study, prepared, one, model, shares=shares), model) for one in stage.budget_stages]
    settings = study.settings_of(stage, prepared.entry)
    context = WorkContext(study, settings, prepared, model, shares, stage, spent=sum(spent) if spent else None)
    return _counted(find_kind(stage.kind), context)


def answer_work(study: Study, prepared: Prepared, arm: str, model: nn.Module, *, shares: bool) -> Work:
    """What the arm's answers to the held-out cases take of the model: nothing where no policy is asked."""
    one = study.arm(arm)
    context = WorkContext(study, study.block(one.answer), prepared, model, shares, trained=one.trained)
    return _counted(find_answer(one.answer), context)


def _counted(member: Any, context: WorkContext) -> Work:
    work: Work = member.work(context) if hasattr(member, "work") else []
    return work
