"""The parity check: compare the answers of an exported or served model with those of the study."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from preceptor.chat_server import Reply
from preceptor.errors import InputError
from preceptor.ship._cause import Cause, Evidence, Kind, likely_cause
from preceptor.ship._evidence import gather_evidence
from preceptor.ship._other_arms import discriminating_first
from preceptor.ship._replayed import Replayed
from preceptor.study import ArmOfRun, Prepared, held_out
from preceptor.tasks import INVALID, Example, Task

Answers = Callable[[Sequence[Example], Sequence[list[int]]], Sequence[str | Reply]]
"""Answers cases, given as examples (truncated as in the study) and as token ids of their prompts. Log-probabilities in
the replies distinguish models whose answers are equal.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A case whose text differs from the study's. `measured` and `served` are the parsed answers."""

    case: Replayed
    measured: str = field(repr=False)
    served: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a model's answers agree with the study's.

    total: cases compared; same: those whose parsed answer (label or text) is equal; same_texts: those whose text is
    equal; differences: the others. cause: the likely one, None where nothing differs. gap: mean absolute difference of
    the answers' log-probabilities from the measured model's, in nats per token, where the server reports them.
    """

    total: int
    same: int
    differences: tuple[Difference, ...]
    cause: Cause | None
    same_texts: int
    gap: float | None = None

    def passes(self, threshold: float = 1.0) -> bool:
        """Whether enough answers are equal and the diagnosis does not identify another model.

        A threshold below 1 tolerates changed weights, as after quantisation, and other prompt lengths; 0 passes all.
        """
        failing: tuple[Kind, ...] = ("adapter", "merge", "arm")
        failing = (*failing, "template", "weights") if threshold == 1 else failing
        is_failing = self.cause is not None and self.cause.kind in failing
        return threshold == 0 or (self.same >= threshold * self.total and not is_failing)

    def __str__(self) -> str:
        texts = "" if self.same_texts == self.same else f", {self.same_texts} word for word"
        return f"{self.same} of {self.total} answers are those of the study{texts}"


def compare(task: Task, cases: Sequence[Replayed], evidence: Evidence | None = None) -> Parity:
    """Compare served with measured answers. The cause is only as good as the evidence."""
    evidence = evidence or Evidence()
    return Parity(
        total=len(cases),
        same=sum(_same_answer(task, case) for case in cases),
        differences=tuple(
            Difference(case, task.parse(case.measured), task.parse(case.served)) for case in cases if not case.same
        ),
        cause=likely_cause(cases, evidence),
        same_texts=sum(case.same for case in cases),
        gap=evidence.gap,
    )


def short_check(arm: ArmOfRun, answer: Answers, console: Console | None = None, cases: int = 20) -> Parity | None:
    """Run the parity check on at most `cases` held-out cases, first those on which the run's arms differ.

    None, with a message on `console`, when the held-out cases are not on this machine.
    """
    console = console or Console(stderr=True)
    try:
        prepared = held_out(arm)
    except InputError as error:
        reasons = "; ".join(str(one) for one in error.problems)
        text = f"Not checked against the study, as its held-out cases cannot be read here. {reasons}"
        console.print(text, highlight=False, markup=False, soft_wrap=True)
        return None
    chosen = discriminating_first(arm, len(prepared.test), cases)
    replies = answer([prepared.shown[i] for i in chosen], [prepared.test[i] for i in chosen])
    return diagnose(arm, prepared, chosen, replies, console)


def diagnose(
    arm: ArmOfRun, prepared: Prepared, chosen: Sequence[int], replies: Sequence[str | Reply], console: Console
) -> Parity:
    """Compare the replies to the `chosen` held-out cases with the study's answers and diagnose differences."""
    measured, prompts = arm.predictions, [prepared.test[i] for i in chosen]
    full = [Reply(one) if isinstance(one, str) else one for one in replies]
    cases = [
        Replayed(
            measured[i].id, measured[i].text, reply.text, len(prepared.test[i]), reply.prompt_tokens, reply.logprobs
        )
        for i, reply in zip(chosen, full, strict=True)
    ]
    # the evidence is computed by writing, which a head does not
    evidence = Evidence() if arm.by_head else gather_evidence(arm, chosen, prompts, cases, console)
    return compare(arm.task, cases, evidence)


def _same_answer(task: Task, case: Replayed) -> bool:
    """INVALID answers are equal only if their texts are: two models may fail in different ways."""
    measured = task.parse(case.measured)
    return case.same or measured == task.parse(case.served) != INVALID
