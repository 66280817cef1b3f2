"""How long a study will take on this machine: its model is measured before anything is trained, its work is counted."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from preceptor.engine import ModelBytes, Numerics, Speed, Unit, flops_of, measure, model_bytes
from preceptor.models import ModelSource, Policy, blueprint, layers_of, random_model
from preceptor.progress import Advance, quiet
from preceptor.study.cases import Prepared
from preceptor.study.plan.remaining import RemainingWork
from preceptor.study.plan.stage_work import answer_work, stage_work
from preceptor.study.spec.found import find_answer
from preceptor.study.spec.study import Study

_MEASURED_BYTES = 800_000_000
"""Of a model with larger layers than these, some layers are measured in place of all."""


def forecast(study: Study, remaining: Sequence[RemainingWork], speed: Speed, model: nn.Module) -> float:
    """About how many seconds remaining work takes. How fast a server answers is not known. model: without numbers."""
    total = 0.0
    for one in remaining:
        for stage, shares in one.stages.items():
            work = stage_work(study, one.prepared, stage, model, shares=speed.shares)
            total += speed.seconds(work) * sum(shares)
        for arm, shares in one.answers.items():
            seconds = known_seconds(study, arm)
            if seconds is None:
                seconds = speed.seconds(answer_work(study, one.prepared, arm, model, shares=speed.shares))
            total += seconds * sum(shares)
    return total


def known_seconds(study: Study, arm: str) -> float | None:
    """How long an arm answers whose policy is not asked, as its file says; None where it must be worked out."""
    way = find_answer(study.arm(arm).answer)
    return None if way.asks_policy else float(getattr(way, "seconds", 0.0))


def measure_speed(
    study: Study, numerics: Numerics, source: ModelSource, prepared: Prepared, folder: Path, advance: Advance = quiet
) -> Speed:
    """Measure the model, with random weights, on the study's own cases; `advance` counts `MEASUREMENTS`.

    Its weights need not be here. A large model is measured on a few of its layers. `folder`: on whose disk.
    """
    adapter, dtype = study.adapter, numerics.torch_dtype
    layers = layers_to_measure(source, model_bytes(source, adapter, dtype))
    whole, part = (flops_of([Unit("train", tokens=1)], blueprint(source, adapter, dtype, n)) for n in (None, layers))

    def make() -> Policy:
        return Policy(random_model(source, adapter, dtype, layers), None, source, adapter)

    return measure(make, prepared.train, numerics, folder, advance, whole / part)


def layers_to_measure(source: ModelSource, model: ModelBytes) -> int:
    """All, or whole periods of them."""
    layers, period = layers_of(source)
    fitting = int(_MEASURED_BYTES * layers / (model.weights - model.outside))
    return min(layers, max(1, fitting // period) * period)
