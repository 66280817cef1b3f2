"""Diagnosis: why a served model's answers differ from the measured ones. Uses evidence only, never model names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from preceptor.ship._replayed import Replayed, common_prefix, stripped

Kind = Literal["adapter", "merge", "arm", "template", "stop token", "dtype", "weights"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A likely cause with its evidence and the fix. Holds no text of an answer."""

    kind: Kind
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}. {self.fix}."


@dataclass(frozen=True, slots=True)
class Suspect:
    """A model that may be the one served instead. texts: its answers by case index.

    gap: mean absolute difference between the served tokens' log-probabilities and its own, in nats per token.
    """

    cause: Cause
    texts: Mapping[int, str] = field(repr=False)
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence beside the answers.

    suspects: other models. margins: by case index, the measured model's log-probability of its own token minus that of
    the served one at the first divergence, in nats. unstopped: by case index, the measured model's text without a stop
    token, without and with special tokens. gap: as a suspect's, for the measured model itself.
    """

    suspects: Sequence[Suspect] = ()
    margins: Mapping[int, float] = field(default_factory=dict)
    unstopped: Mapping[int, Sequence[str]] = field(default_factory=dict, repr=False)
    gap: float | None = None


ROUNDING_GAP = 0.1
"""Nats per token: a smaller gap means the same model under different rounding."""
EQUAL_GAP = 0.001
"""Nats per token: a smaller gap means the same model in the same precision."""
_CLOSER_RATIO = 0.25
"""A suspect is the served model when its gap is below this fraction of the measured model's."""
_ROUNDING_MARGIN = 0.5
"""Nats between two next tokens whose order rounding may flip."""
_MAJORITY = 0.9
"""The share of cases that an explanation must cover; rounding accounts for the rest."""
_MAJORITY_LONG = 0.5
"""The same for long answers: chance matches are unlikely there, and rounding affects many tokens."""
_LONG_ANSWER = 40
"""Mean characters of long answers."""


def likely_cause(cases: Sequence[Replayed], evidence: Evidence) -> Cause | None:
    """The first explanation that holds, strongest evidence first; None when nothing needs one."""
    if cause := prompt_mismatch(cases):
        return cause
    differing = [i for i, case in enumerate(cases) if not case.same]
    if closer := _closer_model(evidence):
        return closer
    if not differing and (evidence.gap is None or evidence.gap <= ROUNDING_GAP):
        return None
    return (
        _no_stop(cases, differing, evidence.unstopped)
        or _model_with_these_answers(cases, evidence)
        or _rounding(differing, evidence, len(cases))
        or _early_stop(cases, differing)
        or _differs_at_start(cases, differing)
        or _WEIGHTS
    )


def prompt_mismatch(cases: Sequence[Replayed]) -> Cause | None:
    """Different prompt lengths in tokens mean different prompts, whatever the answers."""
    lengths = [(case.measured_prompt, case.served_prompt) for case in cases if case.served_prompt is not None]
    excess = [served - measured for measured, served in sorted(lengths)]
    differences = {tokens for tokens in excess if tokens}
    if not differences:
        return None
    if len(set(excess)) == 1:
        size = f"each prompt has {abs(excess[0])} tokens {'more' if excess[0] > 0 else 'fewer'} than in the study"
        fix = "Serve the model with its own chat template, and let the server add nothing to it"
        return Cause("template", f"the chat template is another one: {size}", fix)
    first = next(i for i, tokens in enumerate(excess) if tokens)
    if all(tokens < 0 for tokens in excess[first:]):
        what = f"the server shortens prompts from {sorted(lengths)[first][0]} tokens on"
        return Cause("template", what, "Give it a longer context")
    size = f"prompts have {min(differences)} to {max(differences)} tokens more than in the study"
    fix = "Serve the model with its own tokenizer and chat template"
    return Cause("template", f"the tokenizer or the chat template is another one: {size}", fix)


def _closer_model(evidence: Evidence) -> Cause | None:
    """Log-probabilities identify a model even when its answers equal another's."""
    if evidence.gap is None or evidence.gap <= EQUAL_GAP:
        return None
    known = [(one.gap, one.cause) for one in evidence.suspects if one.gap is not None]
    gap, cause = min(known, key=lambda one: one[0], default=(evidence.gap, None))
    return cause if gap <= ROUNDING_GAP and gap < _CLOSER_RATIO * evidence.gap else None


def _model_with_these_answers(cases: Sequence[Replayed], evidence: Evidence) -> Cause | None:
    """The suspect whose answers match the served ones, also where the measured model's do not."""
    if evidence.gap is not None and evidence.gap <= ROUNDING_GAP:
        return None  # the measured model
    shares = [_share(cases, one.texts, evidence.margins) for one in evidence.suspects]
    best = max(range(len(shares)), key=lambda i: shares[i], default=None)
    return evidence.suspects[best].cause if best is not None and shares[best] else None


def _share(cases: Sequence[Replayed], texts: Mapping[int, str], margins: Mapping[int, float]) -> float:
    """The share of served answers equal to a suspect's; 0 when that is not significant."""
    matches = {i: stripped(cases[i].served) == stripped(text) for i, text in texts.items()}
    discriminating = [i for i, text in texts.items() if stripped(text) != stripped(cases[i].measured)]
    if not discriminating:
        return 0.0
    if len(discriminating) <= 2 and all(margins.get(i, _ROUNDING_MARGIN) < _ROUNDING_MARGIN for i in discriminating):
        return 0.0  # rounding alone can explain these
    lengths = [len(cases[i].measured) for i in texts]
    needed = _MAJORITY_LONG if sum(lengths) > _LONG_ANSWER * len(lengths) else _MAJORITY
    share = sum(matches.values()) / len(matches)
    hits = sum(matches[i] for i in discriminating) / len(discriminating)
    measured_share = sum(cases[i].same for i in texts) / len(texts)
    return share if share > measured_share and min(share, hits) >= needed else 0.0


def _rounding(differing: Sequence[int], evidence: Evidence, cases: int) -> Cause | None:
    close = [i for i in differing if i in evidence.margins and evidence.margins[i] < _ROUNDING_MARGIN]
    known = [i for i in differing if i in evidence.margins]
    if not known or len(close) < _MAJORITY * len(known) or (evidence.gap or 0.0) > ROUNDING_GAP:
        return None
    what = (
        f"the numbers are rounded otherwise (precision, quantisation, another library): {len(differing)} of {cases} "
        f"answers differ, and where they part, the measured model itself finds both ways nearly as likely"
    )
    return Cause("dtype", what, "Serve it in the precision of the study, or say with --threshold how much may differ")


def _no_stop(
    cases: Sequence[Replayed], differing: Sequence[int], unstopped: Mapping[int, Sequence[str]]
) -> Cause | None:
    """The served texts continue as the measured model does without a stop token."""
    on = [i for i in differing if cases[i].continues and i in unstopped]
    on = [i for i in on if any(common_prefix(cases[i].served, text) > cases[i].diverges_at for text in unstopped[i])]
    total = sum(cases[i].continues for i in differing)
    if not on or len(on) < _MAJORITY * len(unstopped) or total < _MAJORITY * len(differing):
        return None
    what = (
        f"the stop token is not known to the server: {total} answers go on where "
        f"those of the study ended, as the measured model goes on when nothing stops it"
    )
    return Cause("stop token", what, "Let the server stop at the token with which the chat template ends an answer")


def _early_stop(cases: Sequence[Replayed], differing: Sequence[int]) -> Cause | None:
    short = sum(cases[i].truncated for i in differing)
    if not differing or short < _MAJORITY * len(differing):
        return None
    what = f"the server stops too early: {short} answers are the beginnings of those of the study"
    return Cause("stop token", what, "Take stop words out of its settings, and allow as many tokens as the task does")


def _differs_at_start(cases: Sequence[Replayed], differing: Sequence[int]) -> Cause | None:
    at_start = sum(cases[i].diverges_at == 0 for i in differing)
    if any(case.served_prompt is not None for case in cases) or at_start < _MAJORITY * len(cases):
        return None
    what = (
        f"the chat template is probably another one: {at_start} of {len(cases)} answers differ from their first letter "
        f"on, and the server does not say how many tokens its prompts have"
    )
    fix = "Serve the model with its own chat template; if it is that one, export the weights again"
    return Cause("template", what, fix)


_WEIGHTS = Cause(
    "weights",
    "the weights are not those of this arm, as after a wrong merge: no prompt is known to be another, and the answers "
    "are neither this arm's, nor those of any other model that was tried, nor a matter of rounding",
    "Export the arm again with `preceptor export` and serve that; if it is that one, look at its chat template",
)
