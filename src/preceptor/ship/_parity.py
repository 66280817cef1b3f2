"""The parity check: compare the answers of an exported or served model with those of the study."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.console import Console

from preceptor.chat_server import Reply
from preceptor.errors import InputError
from preceptor.ship._cause import Cause, Evidence, Kind, likely_cause
from preceptor.ship._evidence import gather_evidence
from preceptor.ship._label_evidence import gather_label_evidence
from preceptor.ship._measured_model import MeasuredModel
from preceptor.ship._other_arms import discriminating_first
from preceptor.ship._replayed import SAME_PROBABILITY, Replayed
from preceptor.study import ArmOfRun, Prepared, held_out
from preceptor.tasks import INVALID, Example, Task

How = Literal["answers", "scored labels", "text of scored labels"]
"""What is compared: the study's answers; its labels with their probabilities; or, where a server can only write,
the text that the measured model writes, while the study scored its labels.
"""

Answers = Callable[[Sequence[Example], Sequence[list[int]]], Sequence[str | Reply]]
"""Answers cases, given as examples (truncated as in the study) and as token ids of their prompts. Log-probabilities in
the replies distinguish models whose answers are equal.
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """A case whose text or probabilities differ from the study's. `measured` and `served` are the parsed answers."""

    case: Replayed
    measured: str = field(repr=False)
    served: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a model's answers agree with the study's.

    total: cases compared; same: those whose parsed answer (label or text) is equal, and for scored labels also the
    probabilities; same_texts: those whose text is equal; differences: the others. cause: the likely one, None where
    nothing differs. gap: mean absolute difference of the answers' log-probabilities from the measured model's, in nats
    per token, of scored labels per label, where the server reports them. how: what was compared.
    """

    total: int
    same: int
    differences: tuple[Difference, ...]
    cause: Cause | None
    same_texts: int
    gap: float | None = None
    how: How = "answers"

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
        match self.how:
            case "answers":
                return f"{self.same} of {self.total} answers are those of the study{texts}"
            case "scored labels":
                return f"{self.same} of {self.total} labels and their probabilities are those of the study{texts}"
            case "text of scored labels":
                return (
                    f"{self.same} of {self.total} answers are the free text that the measured model writes{texts}; the "
                    "study scored its labels, which this cannot, so its own answers were not compared"
                )


def compare(task: Task, cases: Sequence[Replayed], evidence: Evidence | None = None, how: How = "answers") -> Parity:
    """Compare served with measured answers. The cause is only as good as the evidence."""
    evidence = evidence or Evidence()
    return Parity(
        total=len(cases),
        same=sum(_same_answer(task, case) for case in cases),
        differences=tuple(
            Difference(case, task.parse(case.measured), task.parse(case.served))
            for case in cases
            if not (case.same and _same_probabilities(case))
        ),
        cause=likely_cause(cases, evidence),
        same_texts=sum(case.same for case in cases),
        gap=evidence.gap,
        how=how,
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
    every = arm.predictions
    measured, prompts = [every[i] for i in chosen], [prepared.test[i] for i in chosen]
    full = [Reply(one) if isinstance(one, str) else one for one in replies]
    how = _how(arm, full)
    texts = [one.text for one in measured]
    if how == "text of scored labels":
        texts = MeasuredModel(arm).answers(prompts)
    cases = [
        Replayed(one.id, text, reply.text, len(prompt), reply.prompt_tokens, reply.logprobs, one.scores, reply.scores)
        for one, text, prompt, reply in zip(measured, texts, prompts, full, strict=True)
    ]
    if how == "scored labels":
        evidence = gather_label_evidence(arm, chosen, prompts, cases, console)
    else:  # the evidence is computed by writing, which a head does not
        own = how == "answers"
        evidence = Evidence() if arm.by_head else gather_evidence(arm, chosen, prompts, cases, console, own=own)
    return compare(arm.task, cases, evidence, how)


def _how(arm: ArmOfRun, replies: Sequence[Reply]) -> How:
    """What can be compared with these replies."""
    rule = arm.label_rule
    if rule is None and not arm.by_head:
        return "answers"
    labels = set(arm.task.answer.labels if rule is None else rule.labels)
    if all(reply.scores is not None and set(reply.scores) == labels for reply in replies):
        return "scored labels"
    return "answers" if arm.by_head else "text of scored labels"


def _same_answer(task: Task, case: Replayed) -> bool:
    """INVALID answers are equal only if their texts are: two models may fail in different ways."""
    if case.same:
        return _same_probabilities(case)
    return task.parse(case.measured) == task.parse(case.served) != INVALID


def _same_probabilities(case: Replayed) -> bool:
    """Whether each label is as probable as it was, up to rounding; true where labels were not scored."""
    return (case.probability_gap or 0.0) <= SAME_PROBABILITY
