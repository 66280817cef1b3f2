"""What may explain differences, gathered where it is needed: other arms of the run, and the measured model itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from preceptor.progress import progress
from preceptor.ship._asked import Asked
from preceptor.ship._cause import ALIKE, EXACT, Evidence, Suspect, other_prompts
from preceptor.ship._measured_model import MeasuredModel, wrong_strengths
from preceptor.ship._other_arms import other_arms, spread
from preceptor.study import ArmOfRun

_TRIED = 20
"""Cases on which models are tried that may be the one served, three in four of them such as differ."""
_SCORED = 64
"""Cases whose log-probabilities are computed here."""


@dataclass(frozen=True, slots=True)
class _Cases:
    """Some of the cases that were asked again, by their numbers among these, with their prompts."""

    numbers: list[int]
    prompts: list[list[int]] = field(repr=False)
    asked: list[Asked] = field(repr=False)


def gather(
    arm: ArmOfRun, chosen: Sequence[int], prompts: Sequence[list[int]], asked: Sequence[Asked], console: Console
) -> Evidence:
    """The evidence on cases that were asked again; `chosen` are their numbers among the held-out cases.

    Nothing is computed where there is nothing to explain, or the prompts alone explain it.
    """

    def these(numbers: list[int]) -> _Cases:
        return _Cases(numbers, [prompts[i] for i in numbers], [asked[i] for i in numbers])

    differing = [i for i, case in enumerate(asked) if not case.same]
    same = [i for i, case in enumerate(asked) if case.same]
    told = these([i for i, case in enumerate(asked) if case.logprobs][:_SCORED])
    if not (differing or told.numbers) or other_prompts(asked):
        return Evidence()
    model = MeasuredModel(arm)
    gap = model.gap(told.prompts, told.asked)
    if not differing and (gap is None or gap <= EXACT):
        return Evidence(gap=gap)
    parted = these(spread(differing, _TRIED - min(_TRIED // 4, len(same))))
    margins = model.margins(parted.prompts, parted.asked)
    tried = these(sorted([*parted.numbers, *spread(same, _TRIED - len(parted.numbers))]))
    arms = list(_of_other_arms(arm, chosen, tried, told=gap is not None))
    known = gap is not None and gap <= ALIKE  # then it answers as the measured model or nearly so: no need to ask
    suspects = _put_together_wrongly(model, tried, console, answers=not known)
    on = these([i for i in parted.numbers if asked[i].goes_on])
    unstopped = dict(zip(on.numbers, model.unstopped(on.prompts), strict=True))
    found = {number: margins[i] for i, number in enumerate(parted.numbers) if i in margins}
    return Evidence([*arms, *suspects], found, unstopped, gap)


def _of_other_arms(arm: ArmOfRun, chosen: Sequence[int], tried: _Cases, *, told: bool) -> Iterator[Suspect]:
    for other in other_arms(arm):
        texts = {number: other.texts[i] for number, i in enumerate(chosen)}
        opened = other.open(arm) if told else None
        gap = MeasuredModel(opened).gap(tried.prompts, tried.asked) if opened else None
        yield Suspect(other.cause(arm), texts, gap)


def _put_together_wrongly(model: MeasuredModel, tried: _Cases, console: Console, *, answers: bool) -> list[Suspect]:
    """The measured model with its adapter at wrong strengths; what it `answers` so only where that is asked."""
    strengths = wrong_strengths(model.adapter) if model.adapter else {}
    suspects = []
    with progress("Looking for the cause", len(strengths), console) as advance:
        for factor, cause in strengths.items():
            with model.at_strength(factor):
                texts = model.answers(tried.prompts) if answers else []
                gap = model.gap(tried.prompts, tried.asked)
            suspects.append(Suspect(cause, dict(zip(tried.numbers, texts, strict=False)), gap))
            advance()
    return suspects
