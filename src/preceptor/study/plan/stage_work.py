"""How much work each stage and each arm's answers will be, as their files count it."""

from preceptor.engine import Operations, Workload
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


def stage_work(study: Study, prepared: Prepared, stage: StageRef, operations: Operations, *, shares: bool) -> Workload:
    """What one stage does; training may stop earlier. Nothing where its file does not count it."""
    spent = [stage_work(study, prepared, one, operations, shares=shares) for one in stage.budget_stages]
    flops = sum(one.flops(operations) for one in spent) if spent else None
    settings = study.settings_of(stage, prepared.entry)
    context = WorkContext(study, settings, prepared, operations, shares, stage, spent=flops)
    kind = find_kind(stage.kind)
    work: Workload = kind.work(context) if hasattr(kind, "work") else Workload()
    return work


def answer_work(study: Study, prepared: Prepared, arm: str, operations: Operations, *, shares: bool) -> Workload:
    """What the arm's answers to the held-out cases take of the model: nothing where no policy is asked."""
    one = study.arm(arm)
    way = find_answer(one.answer)
    context = WorkContext(study, study.block(one.answer), prepared, operations, shares, trained=one.trained)
    work: Workload = way.work(context) if hasattr(way, "work") else Workload()
    return work
