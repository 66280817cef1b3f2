"""PC2: preferences made by the product's own maker, from the policy's own answers, for a reward that is known.

Of several answers drawn to each stay, the one with the fewest facts that its right summary lacks is chosen over the
one with the most. DPO optimises exactly this, so the invented facts of held-out stays must fall by a fifth; that right
facts are lost with them is possible, and shown. Where PC1 passes and this does not, drawing or making pairs is at
fault.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks._control_arms import Row, request, row
from benchmarks._copied_forward import DPO, Archive, one_a_patient
from preceptor.data import TooLong, fit_pair
from preceptor.engine import EncodedPair, Stage
from preceptor.models import Policy
from preceptor.preferences import Score, find_maker
from preceptor.preferences.makers._answers import sampled_answers
from preceptor.tasks import Example, Task

STAYS, SAMPLES = 64, 8
"""Training stays that get a pair, and answers drawn for each."""
HELD_OUT, ANSWERS = 48, 4
"""Held-out stays that are judged, and answers drawn for each."""
FALL = 0.8
"""What at most may be left of the invented facts."""


def invented_facts(archive: Archive, stays: int = STAYS, held_out: int = HELD_OUT) -> Iterator[Row]:
    """Rows of invented and of recalled facts, for SFT and for DPO from there on."""
    _ = archive.sft
    policy = archive.arms.saved("archive")
    case, pairs = "SFT+DPO, fewest invented against most", _pairs(archive, policy, stays)
    invented, recalled = _outcomes(archive, "SFT", policy, held_out=held_out)
    yield invented if pairs else invented.must("no two answers of a stay differ in what they invent", False)
    yield recalled
    if not pairs:
        return
    fewer, kept = _outcomes(archive, case, *archive.after(case, pairs, DPO), held_out=held_out)
    fewer = replace(fewer, peer=invented.ours)
    yield fewer.must(f"at most {FALL} of SFT's", fewer.ours <= FALL * invented.ours)
    yield replace(kept, peer=recalled.ours)


def _pairs(archive: Archive, policy: Policy, stays: int) -> list[EncodedPair]:
    cases = archive.cases
    examples, task = cases.splits.train[:stays], cases.task
    asked = request(archive.arms, policy, task, examples, archive.sizes.context, samples=SAMPLES, score=_fewest(task))
    by_id = {example.id: example for example in examples}
    pairs = []
    for pair in find_maker("on_policy").make(asked).pairs:
        example = by_id[pair.example_id]
        try:
            both = fit_pair(task, example, policy.tokenizer, archive.sizes.context, pair.chosen, pair.rejected)
        except TooLong:
            continue
        pairs.append(EncodedPair(both.chosen.prompt, both.chosen.answer, both.rejected.answer))
    return pairs


def _fewest(task: Task) -> Score:
    """1 for an answer that invents nothing, less for each invented fact."""
    return lambda answer, example: 1 / (1 + _invented(task, answer, example))


def _invented(task: Task, answer: str, example: Example) -> int:
    return len(task.facts(answer) - task.facts(example.target))


def _recalled(task: Task, answer: str, example: Example) -> float:
    gold = task.facts(example.target)
    return len(task.facts(answer) & gold) / len(gold)


def _outcomes(archive: Archive, case: str, policy: Policy, stage: Stage | None = None, *, held_out: int) -> list[Row]:
    """Means over the answers drawn to each held-out stay."""
    task, examples = archive.cases.task, one_a_patient(archive.cases)[:held_out]
    asked = request(archive.arms, policy, task, examples, archive.sizes.context, samples=ANSWERS)
    answers, _ = sampled_answers(asked)

    def mean(of: Callable[[Task, str, Example], float]) -> list[float]:
        return [
            float(np.mean([of(task, one, example) for one in some]))
            for example, some in zip(examples, answers, strict=True)
        ]

    return [
        row("invented facts", case, mean(_invented), "facts an answer", stage),
        row("facts recalled", case, mean(_recalled), "share", stage),
    ]
