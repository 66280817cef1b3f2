"""Where the rejected answers came from: pairs by maker, what is wrong with them, whose model was better."""

from collections.abc import Iterator
from dataclasses import dataclass

from preceptor.evidence import gain, p_text
from preceptor.report._looks import arm_label
from preceptor.report._numbers import count, whole_percent
from preceptor.report._small_counts import Show, shown_count
from preceptor.study.results.cell_schema import Cell, PairFindings
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.schema import Results
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure

_HIGH_REFERENCE_ACCURACY = 0.9
_LENGTH_BIAS = 0.15
"""How far from one half the share of pairs may lie in which the longer answer is chosen."""
_FEWEST = 10
"""With fewer pairs, shares of them say little."""


@dataclass(frozen=True)
class PairsRow:
    """The pairs of one arm and seed, counts as they may be printed. `left_out`: what gave no pair, and why."""

    cell: Cell
    origin: str
    pairs: str
    left_out: str
    longer_chosen: float | None
    reference_accuracy: float | None


@dataclass(frozen=True)
class MakersOfTask:
    """One task's pairs: a row an arm and seed, what is concluded of the makers, and what to beware of."""

    task: TaskPart
    rows: list[PairsRow]
    failed: list[Failure]
    sentences: list[str]
    warnings: list[str]


def makers_of_tasks(results: Results, *, with_text: bool) -> list[MakersOfTask]:
    """The tasks that have pairs, in the order of the study; small counts of real cases only `with_text`."""
    found = []
    for task in results.study.tasks:
        cells = [cell for cell in results.of_task(task.name) if cell.pairs]
        show = count if with_text or task.synthetic else shown_count
        if cells:
            several = len(results.study.seeds) > 1
            warned = [line for cell in cells for line in _warnings(results, task, cell, show, several=several)]
            further = [c for c in results.contrasts_of(task.name) if "@" in c.a and c.b == "sft+dpo"]
            sentences = [_sentence(contrast, results.study.makers) for contrast in further]
            failed = [one for one in results.failed_of(task.name) if one.arm.startswith("sft+dpo")]
            found.append(MakersOfTask(task, [_row(cell, show) for cell in cells], failed, sentences, warned))
    return found


def maker_title(maker: str) -> str:
    """`a_maker` -> `a maker`."""
    return maker.replace("_", " ")


def _row(cell: Cell, show: Show) -> PairsRow:
    origins = {name: n for name, n in cell.pairs.items() if name not in ("without_pair", "too_long")}
    several = len(origins) > 1
    found = cell.pair_findings or PairFindings()
    origin = ", ".join(
        f"{maker_title(name)} {show(n)}" if several else maker_title(name) for name, n in origins.items()
    )
    if found.order != "given":
        origin += ", chosen and rejected exchanged" + (" in half of them" if found.order == "random" else "")
    if found.label_ties:
        origin += f" (equally likely labels, one drawn: {show(found.label_ties)})"
    reasons = {
        "cases without a pair": cell.pairs.get("without_pair", 0),
        "too long": cell.pairs.get("too_long", 0),
        "identical answers": found.identical,
        "rejected answer right": found.rejected_right,
        **{reason.replace("_", " "): n for reason, n in found.notes.items()},
    }
    return PairsRow(
        cell,
        origin,
        show(sum(origins.values())),
        "; ".join(f"{reason} {show(n)}" for reason, n in reasons.items() if n),
        found.longer_chosen,
        found.ordered_rightly,
    )


def _sentence(contrast: Contrast, makers: list[str]) -> str:
    """Whose pairs made the better model, or that these cases cannot tell."""
    first = maker_title(makers[0]) if makers else "the first maker"
    further = maker_title(contrast.a.partition("@")[2])
    if contrast.descriptive:
        claim = f"pairs by {further} and by {first} are only described ({contrast.descriptive})"
    elif contrast.verdict == "equivalent":
        claim = f"pairs by {further} and by {first} made models that differ by less than matters"
    elif contrast.verdict == "inconclusive":
        claim = f"the models from pairs by {further} and by {first} cannot be told apart"
    else:
        better, worse = (further, first) if contrast.verdict == "better" else (first, further)
        claim = f"pairs by {better} made a better model than pairs by {worse}"
        if contrast.less_than_matters:
            claim += ", though by less than matters"
    p = f", adjusted {p_text(contrast.p_adjusted)}" if contrast.p_adjusted is not None else ""
    numbers = gain(contrast.delta, contrast.ci or (None, None), contrast.metric)
    return f"{claim[0].upper()}{claim[1:]}: {numbers} for {further} against {first}{p}."


def _warnings(results: Results, task: TaskPart, cell: Cell, show: Show, *, several: bool) -> Iterator[str]:
    found = cell.pair_findings
    if found is None:
        return
    of = f"{arm_label(results, cell.arm)}{f', seed {cell.seed}' if several else ''}"
    if found.rejected_right:
        yield f"{of}: a rejected answer was as good as the right one in {_pairs(show(found.rejected_right))}; dropped."
    if found.identical:
        yield f"{of}: both answers were the same in {_pairs(show(found.identical))}; dropped."
    if found.near_identical:
        yield f"{of}: answers differ in case, space or punctuation alone in {_pairs(show(found.near_identical))}."
    if found.contradicting:
        yield f"{of}: {_pairs(show(found.contradicting))} contradict each other on the same prompt."
    if found.pairs < _FEWEST:
        yield f"{of}: only {_pairs(show(found.pairs))} to learn from."
        return
    longer = None if task.labels else found.longer_chosen  # how long a label's name is, nobody chose
    if longer is not None and abs(longer - 0.5) > _LENGTH_BIAS:
        side = "longer" if longer > 0.5 else "shorter"
        share = whole_percent(max(longer, 1 - longer))
        yield f"{of}: where lengths differ, the {side} answer is chosen in {share}, so length may be what is learnt."
    if found.ordered_rightly is not None and found.ordered_rightly > _HIGH_REFERENCE_ACCURACY:
        share = whole_percent(found.ordered_rightly)
        yield f"{of}: the SFT model found the chosen answer likelier in {share} already, so little was left to learn."


def _pairs(shown: str) -> str:
    return f"{shown} pair" if shown == "1" else f"{shown} pairs"
