"""What follows for each task: whether the treatment is worth it, or its comparator or the untouched model is enough.

A study's treatment is the arm with the most stages, its comparator the arm that lacks the last of them, its control the
arm that goes on without it for as much compute. Kinds of conclusions are named by what a study is by default about, DPO
against SFT.

Everything follows from what else stands in `results.json`, so that a reader of that file can check it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from preceptor.evidence import FEWEST_SEEDS, number
from preceptor.study.results.caveats import recommendation, warnings
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import Conclusion, ConclusionKind, CouldHaveSeen
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.contrast_words import adds_too_little, compared, compute, counted, over
from preceptor.study.results.could_have_seen import smallest_detectable
from preceptor.study.results.dangerous import why_not_safe
from preceptor.study.results.leak import Leak, find_leak
from preceptor.study.results.simpler import Simpler, better_and_simpler
from preceptor.study.results.task_evidence import UNREADABLE, TaskEvidence, by_task_and_model
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.results.untouched import find_untouched
from preceptor.study.run.failures import Failure, in_words
from preceptor.study.spec.arms import MAJORITY, Arm

_NOT_ASKED = (
    "no arm is compared with the one that lacks its last stage, so no arm is recommended, and each comparison has a "
    "verdict of its own"
)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """`claim` ends where the details of `contrast` go on. `arm`: what is left to use; None where nothing follows.

    `because` is said last: what the claim rests on, or what spoils it. `spoiled`: more cases would not mend it.
    `rests_on`: contrasts that the claim needs beside `contrast` and the study's question.
    """

    conclusion: ConclusionKind
    claim: str
    contrast: Contrast | None
    arm: str | None = None
    because: tuple[str, ...] = ()
    spoiled: bool = False
    rests_on: tuple[Contrast, ...] = ()


def conclusions(
    contrasts: Sequence[Contrast],
    cells: Sequence[Cell],
    tasks: Sequence[TaskPart],
    arms: Mapping[str, Arm],
    failed: Sequence[Failure] = (),
    seen: Sequence[CouldHaveSeen] = (),
) -> list[Conclusion]:
    """One conclusion for each task and model; `arms` are those of the study by name.

    seen: what is known of whether a gain could have been seen; without it no stage is said to be enough.
    """
    found = by_task_and_model(contrasts, cells, tasks, arms, failed)
    of = {(one.task, one.model): one for one in seen}
    return [_conclusion(one, _outcome(one, of.get((one.task.name, one.model)))) for one in found]


def _conclusion(evidence: TaskEvidence, outcome: _Outcome) -> Conclusion:
    needed = bool(outcome.contrast and outcome.contrast.needed)
    advice, reason = recommendation(evidence, outcome.conclusion, outcome.arm, spoiled=outcome.spoiled, needed=needed)
    return Conclusion(
        task=evidence.task.name,
        model=evidence.model,
        conclusion=outcome.conclusion,
        sentence=_sentence(evidence, outcome),
        recommendation=advice,
        reason=reason,
        warnings=warnings(evidence, outcome.arm),
    )


def _outcome(evidence: TaskEvidence, seen: CouldHaveSeen | None) -> _Outcome:
    question = evidence.question
    if leak := find_leak(evidence):
        return _names_the_answer(evidence, leak)
    if evidence.asked is None:
        return _Outcome("unsettled", _NOT_ASKED, None)
    if question is None:
        return _lost(evidence, *evidence.asked)
    if question.descriptive:
        claim = "these cases only describe what the models did and allow no conclusion"
        return _Outcome("descriptive", claim, question, because=(question.descriptive,))
    if simpler := better_and_simpler(evidence):
        return _simpler_is_better(evidence, question, simpler)
    if untouched := _untouched_is_enough(evidence, question):
        return untouched
    return _treatment(evidence, question, seen) if evidence.arms[question.b].trained else _one_stage(evidence, question)


def _names_the_answer(evidence: TaskEvidence, leak: Leak) -> _Outcome:
    """What the study asked is not answered where the best is shown what it is asked for."""
    view, best = leak.view, evidence.phrases[leak.best]
    shares = f"in {view.label_share:.0%} of the training cases, and by chance it would be in {view.by_chance:.0%}"
    claim = f"the view that does best names the answer: {view.name}, by {best}, holds the case's own label {shares}"
    because = tuple(over(contrast, evidence.phrases) for contrast in leak.over)
    return _Outcome("names_the_answer", claim, None, because=because, spoiled=True, rests_on=tuple(leak.over))


def _lost(evidence: TaskEvidence, a: str, b: str) -> _Outcome:
    """An arm of the question failed. What else is known of the task does not answer it."""
    claim = f"whether {evidence.last_stage(a)} is worth it was not compared"
    failed = [*evidence.failed.get(a, ()), *evidence.failed.get(b, ())]
    first = b if evidence.arms[b].trained else a
    because = (in_words(failed, evidence.phrases), *_over_untouched(evidence, first))
    return _Outcome("unsettled", claim, None, because=because, spoiled=True)


def _simpler_is_better(evidence: TaskEvidence, question: Contrast, simpler: Simpler) -> _Outcome:
    """What the study asked comes second where none of its models does as well as a simpler way."""
    named, ways = evidence.phrases, [evidence.phrases[way] for way in simpler.ways]
    are = "is" if len(ways) == 1 else "are"
    best = f"{named[simpler.best]}, which did best of the models asked about"
    because = [over(contrast, named) for contrast in simpler.ways.values()]
    if question not in simpler.ways.values():
        harm = f"{evidence.last_stage(question.a)} does harm, " if question.verdict == "worse" else ""
        because.append(harm + over(question, named))
    longer = evidence.control(question.a)
    if longer in simpler.ways and evidence.verdict(longer, question.b) == "better":
        because.append(f"{named[question.b]} had not settled")
    claim = f"{' and '.join(ways)} {are} simpler and better than {best}"
    return _Outcome("simpler_is_better", claim, None, because=tuple(because), rests_on=tuple(simpler.ways.values()))


def _untouched_is_enough(evidence: TaskEvidence, question: Contrast) -> _Outcome | None:
    """The untouched model, with or without examples, when no tuned arm is better than it by as much as matters.

    None too where more of the first stage was better: then what the study turns on had not settled.
    """
    found = find_untouched(evidence)
    if found is None:
        return None
    named, last, rests_on = evidence.phrases[found.arm], found.under[-1], tuple(found.under)
    if gain := found.gain:
        if evidence.control(question.a) in (gain.a, gain.b):
            return None
        claim, because = f"that {named} is enough cannot be said", (over(gain, evidence.phrases),)
        return _Outcome("unsettled", claim, last, because=because, spoiled=True, rests_on=(*rests_on, gain))
    claim = f"no training adds what matters to {named}"
    if why := _useless(evidence, found.arm):
        return _Outcome("unsettled", claim, last, because=(why,), spoiled=True, rests_on=rests_on)
    return _Outcome("base_enough", f"{named} is enough: {claim}", last, found.arm, rests_on=rests_on)


def _useless(evidence: TaskEvidence, arm: str) -> str | None:
    """Why an arm cannot be recommended however the others do; None where it can."""
    if (rate := evidence.invalid_rate(arm)) > UNREADABLE:
        return f"{rate:.0%} of the answers of {evidence.phrases[arm]} could not be read"
    if label := evidence.only_label(arm):
        return f'{evidence.phrases[arm]} gives the same answer, "{label}", to every case'
    return None


def _treatment(evidence: TaskEvidence, question: Contrast, seen: CouldHaveSeen | None) -> _Outcome:
    """A further stage against the trained arm that it goes on from: its gain must not be that of more training."""
    stage, begun = evidence.last_stage(question.a), evidence.phrases[question.b]
    gained = _over_untouched(evidence, question.b)
    if question.verdict == "worse":
        return _Outcome("dpo_harms", f"{stage} does harm", question, because=gained)
    if question.verdict != "better":
        if unsettled := _not_settled(evidence, question):
            return unsettled
        if seen and seen.delivered is False:
            claim = f"{stage} was not delivered, so whether it is worth it cannot be said"
            return _Outcome("dpo_not_delivered", claim, question, because=(_share_changed(seen), *gained))
    if question.below_margin:
        return _little(evidence, question, begun, seen, gained)
    if question.verdict != "better":
        return _open(question, f"whether {stage} is worth it", gained)
    longer = evidence.control(question.a)
    control = evidence.contrast(question.a, longer) if longer else None
    if longer is None or control is None:
        why = f"{begun} was not trained on for the same compute in this study"
        if longer and evidence.lost(question.a, longer):
            why = in_words(evidence.failed[longer], evidence.phrases)
        claim = f"{stage} is better than {begun}, and yet not shown to be worth it"
        return _Outcome("unsettled", claim, question, because=(f"{why}, so the gain may be that of longer training",))
    more = f"{begun} trained on for the same compute"
    if control.below_margin:
        return _little(evidence, control, more, seen, (over(question, evidence.phrases),))
    if control.verdict != "better":
        return _open(control, f"whether {stage} is worth more than {more}", (over(question, evidence.phrases),))
    because = (over(control, evidence.phrases),)
    worth = _Outcome("dpo_worth_it", f"{stage} is worth it", question, question.a, because)
    return _unless_spoiled(evidence, worth, question, control)


def _not_settled(evidence: TaskEvidence, question: Contrast) -> _Outcome | None:
    """More of the stage before was better than what there was of it, so the treatment went on from where that one was
    still learning: that it adds little says nothing. None where the study does not show so.
    """
    longer = evidence.control(question.a)
    more = evidence.contrast(longer, question.b) if longer else None
    if longer is None or more is None or more.verdict != "better":
        return None
    begun, stage = evidence.phrases[question.b], evidence.last_stage(question.a)
    claim = f"{begun} had not settled, so whether {stage} is worth it cannot be said: trained on for the same compute"
    return _Outcome("sft_not_settled", f"{claim}, it is better", more, because=(over(question, evidence.phrases),))


def _little(
    evidence: TaskEvidence, contrast: Contrast, other: str, seen: CouldHaveSeen | None, because: tuple[str, ...]
) -> _Outcome:
    """A stage adds less than matters to `other`, arm b in words: that one is enough where the study could have seen
    more.
    """
    stage = adds_too_little(evidence.last_stage(contrast.a), contrast)
    if why := _blind(evidence, contrast, seen):
        claim = f"{stage.removeprefix('since ')} here, which does not make {other} enough"
        lacks = f"this study did not show that it could have seen a gain: {', '.join(why)}"
        return _Outcome("could_not_have_seen", claim, contrast, because=(lacks, *because))
    return _unless_spoiled(
        evidence, _Outcome("sft_enough", f"{other} is enough, {stage}", contrast, contrast.b, because)
    )


def _blind(evidence: TaskEvidence, contrast: Contrast, seen: CouldHaveSeen | None) -> list[str]:
    """Why the study did not show that it could have seen a stage add as much as matters; empty where it did."""
    stage, begun = evidence.last_stage(contrast.a), evidence.phrases[evidence.begun(contrast.b)]
    why = []
    if seen is None or seen.control != "passed":
        why.append("its control failed" if seen and seen.control == "failed" else "no control was run")
    if seen is None or seen.delivered is None:
        why.append(f"nobody knows whether {stage} was delivered")
    elif not seen.delivered:
        why.append(f"{stage} was not delivered")
    if seen is None or seen.settled is not True:
        why.append(f"that {begun} had settled is not shown")
    asked = seen is not None and contrast == evidence.question
    smallest = seen.smallest_detectable if seen and asked else smallest_detectable(contrast)
    if smallest is None or contrast.margin is None or smallest > contrast.margin:
        found = (
            "it cannot be said which" if smallest is None else f"one below {number(smallest, beside=contrast.margin)}"
        )
        why.append(f"of a difference, {found} would not have been found")
    return why


def _share_changed(seen: CouldHaveSeen) -> str:
    """What was changed of the answers, and of the order of validation pairs."""
    changed = f"{seen.answers_changed or 0:.0%} of the held-out answers changed"
    return (
        changed
        if seen.pair_accuracy is None
        else (f"{changed}, and {seen.pair_accuracy[1]:.0%} of validation pairs stand in the right order")
    )


def _one_stage(evidence: TaskEvidence, question: Contrast) -> _Outcome:
    """The first stage against the untouched model."""
    stage = evidence.last_stage(question.a)
    if question.verdict != "better":
        return _open(question, f"whether {stage} is worth it")
    return _unless_spoiled(evidence, _Outcome("sft_worth_it", f"{stage} is worth it", question, question.a), question)


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

    `claimed` are the contrasts that say an arm is better: of each it must be shown that no more dangerous cases are
    missed than its margin allows.
    """
    assert outcome.arm is not None
    if why := _useless(evidence, outcome.arm):
        return _spoiled(outcome, why)
    for contrast in claimed:
        if why := why_not_safe(contrast, evidence.phrases):
            return _spoiled(outcome, why)
    arm, base = evidence.begun(outcome.arm), evidence.base
    if base and evidence.verdict(arm, base) not in ("better", None):
        named = evidence.phrases
        return _spoiled(outcome, f"{named[arm]} is not shown to be better than {named[base]}")
    if outcome.conclusion == "sft_worth_it" and evidence.only_the_form(arm):
        return _spoiled(outcome, "more than the form of the answer was not shown to be learnt")
    return outcome


def _spoiled(outcome: _Outcome, why: str) -> _Outcome:
    claim = f"that {outcome.claim} cannot be said"
    return _Outcome("unsettled", claim, outcome.contrast, because=(why,), spoiled=True)


def _over_untouched(evidence: TaskEvidence, arm: str) -> tuple[str, ...]:
    """The arm's own gain over the base model, where it has one, and whether it may be the form of the answer alone."""
    found = evidence.contrast(arm, evidence.base) if evidence.base else None
    if found is None or found.verdict != "better":
        return ()
    gained = over(found, evidence.phrases)
    if not evidence.only_the_form(arm):
        return (gained,)
    unread = f"{evidence.invalid_rate(found.b):.0%} of {evidence.phrases[found.b]}'s answers could not be read"
    return (f"{gained}, though {unread}, so this may be the form of the answer alone",)


def _sentence(evidence: TaskEvidence, outcome: _Outcome) -> str:
    """One sentence: the claim, gain with interval, cases, price, and what it rests on or is spoiled by."""
    parts = []
    if contrast := outcome.contrast:
        parts.append(compared(contrast, evidence.phrases))
        parts += [words for words in (counted(contrast), compute(contrast, evidence.phrases)) if words]
    parts += outcome.because
    if outcome.arm in evidence.trained and evidence.verdict(outcome.arm, MAJORITY) not in ("better", None):
        parts.append(f"{evidence.phrases[outcome.arm]} is not shown to be better than {evidence.phrases[MAJORITY]}")
    if scope := _scope(evidence, outcome.contrast, *outcome.rests_on):
        parts.append(scope)
    claim = f"On {evidence.task.name}, {outcome.claim}"
    return f"{claim}: {'; '.join(parts)}." if parts else f"{claim}."


def _scope(evidence: TaskEvidence, *rests_on: Contrast | None) -> str | None:
    """Of which models the sentence speaks; None where there are enough seeds to speak of the method.

    Where a contrast that it rests on has fewer than that of the question, as where one of them failed, these count.
    """
    if not evidence.trained:
        return None
    question = evidence.question
    longer = evidence.control(question.a) if question else None
    control = evidence.contrast(question.a, longer) if question and longer else None
    asked = [len(one.seeds) for one in (question, control, *rests_on) if one]
    seeds = min(asked, default=len(evidence.cells[evidence.trained[-1]]))
    if seeds >= FEWEST_SEEDS:
        return None
    return f"this speaks of the models trained here with {seeds} {'seed' if seeds == 1 else 'seeds'}, not of the method"
