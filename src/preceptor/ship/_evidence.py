"""Evidence for the diagnosis, computed only if needed: from other arms of the run and from the measured model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from preceptor.progress import progress
from preceptor.ship._cause import EQUAL_GAP, ROUNDING_GAP, Evidence, Suspect, prompt_mismatch
from preceptor.ship._measured_model import MeasuredModel, mistakes
from preceptor.ship._other_arms import evenly_spaced, other_arms
from preceptor.ship._replayed import Replayed
from preceptor.study import ArmOfRun

PROBED = 20
"""Cases on which suspects are probed, three in four of them with differing answers."""
_SCORED = 64
"""Cases whose log-probabilities are recomputed."""


@dataclass(frozen=True, slots=True)
class _Cases:
    """A subset of the replayed cases: their indices, prompts (token ids) and answers."""

    numbers: list[int]
    prompts: list[list[int]] = field(repr=False)
    cases: list[Replayed] = field(repr=False)


def gather_evidence(
    arm: ArmOfRun,
    chosen: Sequence[int],
    prompts: Sequence[list[int]],
    cases: Sequence[Replayed],
    console: Console,
    *,
    own: bool = True,
) -> Evidence:
    """The evidence on replayed cases; `chosen` are their indices among the held-out cases.

    own: whether the study's own answers are compared; else the other arms' models write theirs as the measured one.
    Nothing is computed when no answer differs or the prompt lengths alone explain the differences.
    """

    def select(numbers: list[int]) -> _Cases:
        return _Cases(numbers, [prompts[i] for i in numbers], [cases[i] for i in numbers])

    differing = [i for i, case in enumerate(cases) if not case.same]
    same = [i for i, case in enumerate(cases) if case.same]
    with_logprobs = select([i for i, case in enumerate(cases) if case.logprobs][:_SCORED])
    if not (differing or with_logprobs.numbers) or prompt_mismatch(cases):
        return Evidence()
    model = MeasuredModel(arm)
    gap = model.gap(with_logprobs.prompts, with_logprobs.cases)
    if not differing and (gap is None or gap <= EQUAL_GAP):
        return Evidence(gap=gap)
    diverging = select(evenly_spaced(differing, PROBED - min(PROBED // 4, len(same))))
    margins = model.margins(diverging.prompts, diverging.cases)
    probed = select(sorted([*diverging.numbers, *evenly_spaced(same, PROBED - len(diverging.numbers))]))
    arms = list(_other_arms(arm, chosen, probed, own=own, with_logprobs=gap is not None))
    is_measured = gap is not None and gap <= ROUNDING_GAP  # then answers add nothing to log-probabilities
    suspects = _mistaken_suspects(model, probed, console, answers=not is_measured)
    continuing = select([i for i in diverging.numbers if cases[i].continues])
    unstopped = dict(zip(continuing.numbers, model.unstopped(continuing.prompts), strict=True))
    margin_of = {number: margins[i] for i, number in enumerate(diverging.numbers) if i in margins}
    return Evidence([*arms, *suspects], margin_of, unstopped, gap)


def _other_arms(
    arm: ArmOfRun, chosen: Sequence[int], probed: _Cases, *, own: bool, with_logprobs: bool
) -> Iterator[Suspect]:
    for other in other_arms(arm):
        opened = other.open(arm) if with_logprobs or not own else None
        model = MeasuredModel(opened) if opened else None
        texts = {number: other.predictions[i].text for number, i in enumerate(chosen)} if own else {}
        if model and not own:
            texts = dict(zip(probed.numbers, model.answers(probed.prompts), strict=True))
        gap = model.gap(probed.prompts, probed.cases) if model and with_logprobs else None
        yield Suspect(other.cause(arm), texts, gap)


def _mistaken_suspects(model: MeasuredModel, probed: _Cases, console: Console, *, answers: bool) -> list[Suspect]:
    """The measured model with adapters left out or at wrong scales; its answers only if `answers`."""
    made, suspects = list(mistakes(model.slots)), []
    with progress("Looking for the cause", len(made), console) as advance:
        for factors, cause in made:
            with model.at_strength(factors):
                texts = model.answers(probed.prompts) if answers else []
                gap = model.gap(probed.prompts, probed.cases)
            suspects.append(Suspect(cause, dict(zip(probed.numbers, texts, strict=False)), gap))
            advance()
    return suspects
