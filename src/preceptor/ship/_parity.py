"""Whether a model that is exported or served is the one that was measured: its answers beside those of the study."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from preceptor.chat_server import Reply
from preceptor.errors import InputError
from preceptor.ship._asked import Asked
from preceptor.ship._cause import Cause, Evidence, Kind, likely_cause
from preceptor.ship._evidence import gather
from preceptor.ship._other_arms import telling_first
from preceptor.study import ArmOfRun, Prepared, held_out
from preceptor.tasks import INVALID, Example, Task

Answers = Callable[[Sequence[Example], Sequence[list[int]]], Sequence[str | Reply]]
"""Answers cases, which come as examples (cut where the study cut them) and as the token ids of their prompts. Replies
with log-probabilities tell models apart that answer these cases alike.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A case that is not answered as in the study. `measured` and `served` are the answers as the task reads them.

    parts_at: how many characters the two texts have in common; goes_on, stops_short: there one of them ends.
    """

    id: str
    measured: str = field(repr=False)
    served: str = field(repr=False)
    parts_at: int
    goes_on: bool
    stops_short: bool
    measured_text: str = field(repr=False)
    served_text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a model answers as the study measured it.

    asked: cases; same: those whose answer is the same as the task reads it (a label, a text); same_texts: those that
    are answered word for word; differences: the other ones. cause: why, None where nothing differs. gap: how far the
    log-probabilities of its answers are from those the measured model gives them, in nats a token, where it tells them.
    """

    asked: int
    same: int
    differences: tuple[Difference, ...]
    cause: Cause | None
    same_texts: int
    gap: float | None = None

    def passes(self, threshold: float = 1.0) -> bool:
        """Whether enough answers are the same, and nothing shows that this is another model all the same.

        A threshold below 1 lets weights pass that have changed, as in four bits, and prompts that were counted
        otherwise; with 0 everything passes.
        """
        refused: tuple[Kind, ...] = ("adapter", "merge", "arm")
        refused = (*refused, "template", "weights") if threshold == 1 else refused
        recognised = self.cause is not None and self.cause.kind in refused
        return threshold == 0 or (self.same >= threshold * self.asked and not recognised)

    def __str__(self) -> str:
        texts = "" if self.same_texts == self.same else f", {self.same_texts} word for word"
        return f"{self.same} of {self.asked} answers are those of the study{texts}"


def compare(task: Task, asked: Sequence[Asked], evidence: Evidence | None = None) -> Parity:
    """Put the served answers beside the measured ones. The cause is only as good as the evidence."""
    evidence = evidence or Evidence()
    return Parity(
        asked=len(asked),
        same=sum(_same_answer(task, case) for case in asked),
        differences=tuple(_difference(task, case) for case in asked if not case.same),
        cause=likely_cause(asked, evidence),
        same_texts=sum(case.same for case in asked),
        gap=evidence.gap,
    )


def short_check(arm: ArmOfRun, answer: Answers, console: Console | None = None, cases: int = 20) -> Parity | None:
    """Ask a model some held-out cases again, those first on which the arms of the run differ.

    None, with a word on `console`, when the held-out cases are not on this machine.
    """
    console = console or Console(stderr=True)
    try:
        prepared = held_out(arm)
    except InputError as error:
        why = "; ".join(str(one) for one in error.problems)
        _say(console, f"Not checked against the study, as its held-out cases cannot be read here. {why}")
        return None
    chosen = telling_first(arm, len(prepared.test), cases)
    replies = answer([prepared.shown[i] for i in chosen], [prepared.test[i] for i in chosen])
    return explained(arm, prepared, chosen, replies, console)


def explained(
    arm: ArmOfRun, prepared: Prepared, chosen: Sequence[int], replies: Sequence[str | Reply], console: Console
) -> Parity:
    """The replies to the `chosen` held-out cases beside what the study measured, with the cause of what differs."""
    measured, prompts = arm.predictions, [prepared.test[i] for i in chosen]
    told = [Reply(one) if isinstance(one, str) else one for one in replies]
    asked = [
        Asked(measured[i].id, measured[i].text, reply.text, len(prepared.test[i]), reply.prompt_tokens, reply.logprobs)
        for i, reply in zip(chosen, told, strict=True)
    ]
    return compare(arm.task, asked, gather(arm, chosen, prompts, asked, console))


def _same_answer(task: Task, case: Asked) -> bool:
    """What cannot be read is the same answer only word for word: two models may be wrong in different ways."""
    measured = task.parse(case.measured)
    return case.same or measured == task.parse(case.served) != INVALID


def _difference(task: Task, case: Asked) -> Difference:
    return Difference(
        case.id,
        task.parse(case.measured),
        task.parse(case.served),
        case.parts_at,
        case.goes_on,
        case.stops_short,
        case.measured,
        case.served,
    )


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
