"""How often what each arm gives together interacts, beside what was really given: no arm was trained for it."""

from collections.abc import Sequence
from dataclasses import replace

from preceptor.evidence import Estimate, Sample, interaction_rate
from preceptor.study.cases import Prepared
from preceptor.study.interactions import Interactions
from preceptor.study.results.cells import Cell
from preceptor.study.results.task_schema import InteractionRate, InteractionsPart


def interactions_of(prepared: Prepared, cells: Sequence[Cell]) -> InteractionsPart | None:
    """The rate of each arm, over the answers of all its seeds; None where the study names no table."""
    table = prepared.interactions
    if table is None:
        return None
    arms = {
        arm: Sample.stack([cell.sample(prepared.task.metric) for cell in cells if cell.arm == arm])
        for arm in dict.fromkeys(cell.arm for cell in cells)
    }
    gold = next(iter(arms.values()), None)
    right = replace(gold, predicted_sets=gold.gold_sets, predicted=None, label_scores=None) if gold else None
    return InteractionsPart(
        pairs=len(table.pairs),
        unknown_names=list(table.unknown),
        labels_not_in_it=list(table.not_in_it),
        right_answers=None if right is None else _rate(right, table),
        arms={arm: _rate(sample, table) for arm, sample in arms.items()},
    )


def _rate(sample: Sample, table: Interactions) -> InteractionRate:
    found: Estimate = interaction_rate(sample, table.matrix)
    return InteractionRate(value=found.value, ci=(found.low, found.high))
