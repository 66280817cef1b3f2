"""What follows for each task: is DPO worth it, is SFT or the untouched model enough, or cannot these cases tell?

Everything follows from what else stands in `results.json`, so that a reader of that file can check it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.evidence import arm_title
from preceptor.study.results.caveats import recommendation, warnings
from preceptor.study.results.contrast_words import compared, compute, counted, over
from preceptor.study.results.schema import Cell, Conclusion, ConclusionKind, Contrast, TaskPart
from preceptor.study.spec.arms import MAJORITY
from preceptor.study.results.task_evidence import UNREADABLE, TaskEvidence, by_task_and_model
from preceptor.study.run.failures import Failure, in_words

FEWEST_SEEDS = 5
"""With fewer, a sentence speaks of the models that were trained, not of the method."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """`claim` ends where the details of `contrast` go on. `arm`: what is left to use; None where nothing follows.

    `because` is said last: what the claim rests on, or what spoils it. `spoiled`: more cases would not mend it.
    """

    conclusion: ConclusionKind
    claim: str
    contrast: Contrast | None
    arm: str | None = None
    because: tuple[str, ...] = ()
    spoiled: bool = False


def conclusions(
    contrasts: Sequence[Contrast], cells: Sequence[Cell], tasks: Sequence[TaskPart], failed: Sequence[Failure] = ()
) -> list[Conclusion]:
    """One conclusion for each task and model."""
    return [
        _conclusion(evidence, _outcome(evidence)) for evidence in by_task_and_model(contrasts, cells, tasks, failed)
    ]


def _conclusion(evidence: TaskEvidence, outcome: _Outcome) -> Conclusion:
    return Conclusion(
        task=evidence.task.name,
        model=evidence.model,
        conclusion=outcome.conclusion,
        sentence=_sentence(evidence, outcome),
        recommendation=recommendation(evidence, outcome.conclusion, outcome.arm, spoiled=outcome.spoiled),
        warnings=warnings(evidence, outcome.arm),
    )


def _outcome(evidence: TaskEvidence) -> _Outcome:
    question = evidence.question
    if evidence.asked is None:
        return _Outcome("unsettled", "this study compares no tuned model with another", None)
    if question is None:
        return _lost(evidence, *evidence.asked)
    if question.descriptive:
        claim = "these cases only describe what the models did and allow no conclusion"
        return _Outcome("descriptive", claim, question, because=(question.descriptive,))
    if untouched := _untouched_is_enough(evidence):
        return untouched
    return _dpo(evidence, question) if question.a == "sft+dpo" else _sft(evidence, question)


def _lost(evidence: TaskEvidence, a: str, b: str) -> _Outcome:
    """An arm of the question failed. What else is known of the task does not answer it."""
    claim = f"whether {'DPO' if a == 'sft+dpo' else 'SFT'} is worth it was not compared"
    because = (in_words([*evidence.failed.get(a, ()), *evidence.failed.get(b, ())]), *_over_untouched(evidence, "sft"))
    return _Outcome("unsettled", claim, None, because=because, spoiled=True)


def _untouched_is_enough(evidence: TaskEvidence) -> _Outcome | None:
    """The untouched model, with or without examples, when no tuned arm is better than it by as much as matters."""
    for untouched in ("base", "base+shots"):
        found = [evidence.contrast(arm, untouched) for arm in evidence.trained]
        if all(one and (one.verdict == "worse" or one.below_margin) for one in found):
            claim = f"no training adds what matters to {arm_title(untouched)}"
            if why := _useless(evidence, untouched):
                return _Outcome("unsettled", claim, found[-1], because=(why,), spoiled=True)
            return _Outcome("base_enough", f"{arm_title(untouched)} is enough: {claim}", found[-1], untouched)
    return None


def _useless(evidence: TaskEvidence, arm: str) -> str | None:
    """Why an arm cannot be recommended however the others do; None where it can."""
    if (rate := evidence.invalid_rate(arm)) > UNREADABLE:
        return f"{rate:.0%} of the answers of {arm_title(arm)} could not be read"
    if label := evidence.only_label(arm):
        return f'{arm_title(arm)} gives the same answer, "{label}", to every case'
    return None


def _dpo(evidence: TaskEvidence, question: Contrast) -> _Outcome:
    if question.verdict == "worse":
        return _Outcome("dpo_harms", "DPO does harm", question, because=_over_untouched(evidence, "sft"))
    if question.below_margin:
        return _sft_enough(evidence, question)
    if question.verdict != "better":
        return _open(question, "whether DPO is worth it", _over_untouched(evidence, "sft"))
    control = evidence.contrast("sft+dpo", "sft+sft")
    if control is None:
        why = "SFT was not trained on for the same compute in this study, so the gain may be that of longer training"
        if evidence.lost("sft+dpo", "sft+sft"):
            why = f"{in_words(evidence.failed['sft+sft'])}, so the gain may be that of longer training"
        return _Outcome(
            "unsettled", "DPO is better than SFT, and yet not shown to be worth it", question, because=(why,)
        )
    if control.below_margin:
        more = _Outcome("sft_enough", "SFT trained on for the same compute is enough", control, "sft+sft")
        return _unless_spoiled(evidence, more)
    if control.verdict != "better":
        what = "whether DPO is worth more than SFT trained on for the same compute"
        return _open(control, what, (over(question),))
    worth = _Outcome("dpo_worth_it", "DPO is worth it", question, "sft+dpo", (over(control),))
    return _unless_spoiled(evidence, worth, question, control)


def _sft_enough(evidence: TaskEvidence, question: Contrast) -> _Outcome:
    """DPO adds less than matters; SFT is enough only where it is itself better than the untouched model."""
    enough = _Outcome("sft_enough", "SFT is enough", question, "sft", _over_untouched(evidence, "sft"))
    return _unless_spoiled(evidence, enough)


def _sft(evidence: TaskEvidence, question: Contrast) -> _Outcome:
    if question.verdict != "better":
        return _open(question, "whether SFT is worth it")
    return _unless_spoiled(evidence, _Outcome("sft_worth_it", "SFT is worth it", question, "sft"), question)


def _open(contrast: Contrast, what: str, because: tuple[str, ...] = ()) -> _Outcome:
    """What these cases could not tell, and how many patients could."""
    if needed := contrast.needed:
        claim = f"not enough cases to tell {what}: about {needed} patients would be needed, and there are"
        return _Outcome("not_enough_cases", f"{claim} {contrast.patients}", contrast, because=because)
    if contrast.margin is None:
        because = (*because, "no margin was set, so nobody can say how many patients would tell")
    else:
        few = f"the two differ on {contrast.differing} of {contrast.patients} patients"
        because = (*because, f"{few}, which does not settle it")
    return _Outcome("unsettled", f"it stays open {what}", contrast, because=because)


def _unless_spoiled(evidence: TaskEvidence, outcome: _Outcome, *claimed: Contrast) -> _Outcome:
    """The outcome, or, when something forbids to say it, why.

    `claimed` are the contrasts that say an arm is better: none may lose dangerous cases on balance.
    """
    assert outcome.arm is not None
    if why := _useless(evidence, outcome.arm):
        return _spoiled(outcome, why)
    for contrast in claimed:
        dangerous = contrast.dangerous
        if dangerous and dangerous.lost > dangerous.gained:
            missed = dangerous.lost - dangerous.gained
            what = "dangerous case" if missed == 1 else "dangerous cases"
            return _spoiled(outcome, f"it misses {missed} {what} more than {arm_title(contrast.b)} does")
    arm = "sft" if outcome.arm == "sft+sft" else outcome.arm
    if evidence.verdict(arm, "base") not in ("better", None):
        return _spoiled(outcome, f"{arm_title(arm)} is not shown to be better than the base model")
    if outcome.conclusion == "sft_worth_it" and evidence.only_the_form(arm):
        return _spoiled(outcome, "more than the form of the answer was not shown to be learnt")
    return outcome


def _spoiled(outcome: _Outcome, why: str) -> _Outcome:
    claim = f"that {outcome.claim} cannot be said"
    return _Outcome("unsettled", claim, outcome.contrast, because=(why,), spoiled=True)


def _over_untouched(evidence: TaskEvidence, arm: str) -> tuple[str, ...]:
    """The arm's own gain over the base model, where it has one, and whether it may be the form of the answer alone."""
    found = evidence.contrast(arm, "base")
    if found is None or found.verdict != "better":
        return ()
    if not evidence.only_the_form(arm):
        return (over(found),)
    unread = f"{evidence.invalid_rate('base'):.0%} of the base model's answers could not be read"
    return (f"{over(found)}, though {unread}, so this may be the form of the answer alone",)


def _sentence(evidence: TaskEvidence, outcome: _Outcome) -> str:
    """One sentence: the claim, gain with interval, cases, price, and what it rests on or is spoiled by."""
    parts = []
    if contrast := outcome.contrast:
        parts.append(compared(contrast))
        parts += [words for words in (counted(contrast), compute(contrast)) if words]
    parts += outcome.because
    if outcome.arm in evidence.trained and evidence.verdict(outcome.arm, MAJORITY) not in ("better", None):
        parts.append(f"{arm_title(outcome.arm)} is not shown to be better than {arm_title(MAJORITY)}")
    if scope := _scope(evidence):
        parts.append(scope)
    claim = f"On {evidence.task.name}, {outcome.claim}"
    return f"{claim}: {'; '.join(parts)}." if parts else f"{claim}."


def _scope(evidence: TaskEvidence) -> str | None:
    """Of which models the sentence speaks; None where there are enough seeds to speak of the method."""
    if not evidence.trained:
        return None
    seeds = len(evidence.cells[evidence.trained[-1]])
    if seeds >= FEWEST_SEEDS:
        return None
    return f"this speaks of the models trained here with {seeds} {'seed' if seeds == 1 else 'seeds'}, not of the method"
