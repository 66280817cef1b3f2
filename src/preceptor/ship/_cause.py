"""Why a served model answers otherwise than the one that was measured: read off evidence, never off a name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from preceptor.ship._asked import Asked, bare, common

Kind = Literal["adapter", "merge", "arm", "template", "stop token", "dtype", "weights"]


@dataclass(frozen=True, slots=True)
class Cause:
    """What is likely wrong, with what shows it, and what to do. Holds no text of an answer."""

    kind: Kind
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}. {self.fix}."


@dataclass(frozen=True, slots=True)
class Suspect:
    """Another model that may be the one served, and what it answers: texts by the number of the case.

    gap: how far the log-probabilities of the served answers are from its own, in nats a token; None where unknown.
    """

    cause: Cause
    texts: Mapping[int, str] = field(repr=False)
    gap: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known beside the answers.

    suspects: other models. margins: by the number of a case, how much likelier the measured model finds its own next
    token than the served one where the two answers part, in nats. unstopped: also by number, what the measured model
    writes when no token stops it, without and with control tokens. gap: as a suspect's, of the measured model itself.
    """

    suspects: Sequence[Suspect] = ()
    margins: Mapping[int, float] = field(default_factory=dict)
    unstopped: Mapping[int, Sequence[str]] = field(default_factory=dict, repr=False)
    gap: float | None = None


ALIKE = 0.1
"""Log-probabilities no further apart than this, in nats a token, are those of one model under different rounding."""
EXACT = 0.001
"""No further apart than this, they are those of one model in one precision."""
_NEARER = 0.25
"""A model whose log-probabilities are this much nearer than the measured one's is the one that is served."""
_CLOSE = 0.5
"""Nats between two next tokens which rounding may turn round."""
_MOST = 0.9
"""The share that stands for all cases but those in which rounding played a part."""
_MOST_LONG = 0.5
"""The same where answers are long: no two models write the same by chance, and rounding meets many tokens."""
_LONG = 40
"""Characters of a long answer."""


def likely_cause(asked: Sequence[Asked], evidence: Evidence) -> Cause | None:
    """The first explanation that holds, the strongest evidence first; None when there is nothing to explain."""
    if cause := other_prompts(asked):
        return cause
    differing = [i for i, case in enumerate(asked) if not case.same]
    if likelier := _likelier_model(evidence):
        return likelier
    if not differing and (evidence.gap is None or evidence.gap <= ALIKE):
        return None
    return (
        _goes_on(asked, differing, evidence.unstopped)
        or _model_that_says_so(asked, evidence)
        or _rounding(differing, evidence, len(asked))
        or _stops_short(asked, differing)
        or _unlike_from_the_start(asked, differing)
        or _WEIGHTS
    )


def other_prompts(asked: Sequence[Asked]) -> Cause | None:
    """Prompts with other numbers of tokens are other prompts, whatever was answered to them."""
    told = [(case.measured_prompt, case.served_prompt) for case in asked if case.served_prompt is not None]
    more = [served - measured for measured, served in sorted(told)]
    found = {by for by in more if by}
    if not found:
        return None
    if len(set(more)) == 1:
        size = f"each prompt has {abs(more[0])} tokens {'more' if more[0] > 0 else 'fewer'} than in the study"
        fix = "Serve the model with its own chat template, and let the server add nothing to it"
        return Cause("template", f"the chat template is another one: {size}", fix)
    first = next(i for i, by in enumerate(more) if by)
    if all(by < 0 for by in more[first:]):
        what = f"the server shortens prompts from {sorted(told)[first][0]} tokens on"
        return Cause("template", what, "Give it a longer context")
    size = f"prompts have {min(found)} to {max(found)} tokens more than in the study"
    fix = "Serve the model with its own tokenizer and chat template"
    return Cause("template", f"the tokenizer or the chat template is another one: {size}", fix)


def _likelier_model(evidence: Evidence) -> Cause | None:
    """Log-probabilities name a model to its last layer, even where it answers as another does."""
    if evidence.gap is None or evidence.gap <= EXACT:
        return None
    known = [(one.gap, one.cause) for one in evidence.suspects if one.gap is not None]
    gap, cause = min(known, key=lambda one: one[0], default=(evidence.gap, None))
    return cause if gap <= ALIKE and gap < _NEARER * evidence.gap else None


def _model_that_says_so(asked: Sequence[Asked], evidence: Evidence) -> Cause | None:
    """The suspect whose answers are the served ones, also where the measured model says something else."""
    if evidence.gap is not None and evidence.gap <= ALIKE:
        return None  # it is the measured model
    shares = [_share(asked, one.texts, evidence.margins) for one in evidence.suspects]
    best = max(range(len(shares)), key=lambda i: shares[i], default=None)
    return evidence.suspects[best].cause if best is not None and shares[best] else None


def _share(asked: Sequence[Asked], texts: Mapping[int, str], margins: Mapping[int, float]) -> float:
    """The share of answers that are a suspect's; 0 where that shows nothing."""
    said = {i: bare(asked[i].served) == bare(text) for i, text in texts.items()}
    telling = [i for i, text in texts.items() if bare(text) != bare(asked[i].measured)]
    if not telling:
        return 0.0
    if len(telling) <= 2 and all(margins.get(i, _CLOSE) < _CLOSE for i in telling):
        return 0.0  # rounding alone may have come to the same
    lengths = [len(asked[i].measured) for i in texts]
    needed = _MOST_LONG if sum(lengths) > _LONG * len(lengths) else _MOST
    share = sum(said.values()) / len(said)
    right = sum(said[i] for i in telling) / len(telling)
    ours = sum(asked[i].same for i in texts) / len(texts)
    return share if share > ours and min(share, right) >= needed else 0.0


def _rounding(differing: Sequence[int], evidence: Evidence, cases: int) -> Cause | None:
    close = [i for i in differing if i in evidence.margins and evidence.margins[i] < _CLOSE]
    known = [i for i in differing if i in evidence.margins]
    if not known or len(close) < _MOST * len(known) or (evidence.gap or 0.0) > ALIKE:
        return None
    what = (
        f"the numbers are rounded otherwise (precision, quantisation, another library): {len(differing)} of {cases} "
        f"answers differ, and where they part, the measured model itself finds both ways nearly as likely"
    )
    return Cause("dtype", what, "Serve it in the precision of the study, or say with --threshold how much may differ")


def _goes_on(asked: Sequence[Asked], differing: Sequence[int], unstopped: Mapping[int, Sequence[str]]) -> Cause | None:
    """The served texts go on as those of the measured model when nothing stops it."""
    on = [i for i in differing if asked[i].goes_on and i in unstopped]
    on = [i for i in on if any(common(asked[i].served, text) > asked[i].parts_at for text in unstopped[i])]
    if not on or len(on) < _MOST * len(unstopped) or sum(asked[i].goes_on for i in differing) < _MOST * len(differing):
        return None
    what = (
        f"the stop token is not known to the server: {sum(asked[i].goes_on for i in differing)} answers go on where "
        f"those of the study ended, as the measured model goes on when nothing stops it"
    )
    return Cause("stop token", what, "Let the server stop at the token with which the chat template ends an answer")


def _stops_short(asked: Sequence[Asked], differing: Sequence[int]) -> Cause | None:
    short = sum(asked[i].stops_short for i in differing)
    if not differing or short < _MOST * len(differing):
        return None
    what = f"the server stops too early: {short} answers are the beginnings of those of the study"
    return Cause("stop token", what, "Take stop words out of its settings, and allow as many tokens as the task does")


def _unlike_from_the_start(asked: Sequence[Asked], differing: Sequence[int]) -> Cause | None:
    at_once = sum(asked[i].parts_at == 0 for i in differing)
    if any(case.served_prompt is not None for case in asked) or at_once < _MOST * len(asked):
        return None
    what = (
        f"the chat template is probably another one: {at_once} of {len(asked)} answers differ from their first letter "
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
