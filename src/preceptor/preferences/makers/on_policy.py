"""The maker `on_policy`: the policy's own samples, the best against the worst by the task's metric."""

from collections import Counter
from collections.abc import Sequence
from itertools import product

from preceptor.preferences.makers._answers import sampled_answers
from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, Request, Setting, supports_all
from preceptor.tasks import Example, Task

Scored = tuple[float, str]
"""An answer with its score by the task's metric."""

explanation = (
    "the worst, by the task's metric, of several answers drawn from the SFT model, the best being chosen (with "
    "`chosen_from: gold` the right answer)"
)
settings: tuple[Setting, ...] = (
    "samples",
    "temperature",
    "chosen_from",
    "min_gap",
    "min_score",
    "max_length_difference",
)
unsupported_reason = supports_all
swaps_labels = True


def expected_work(task: Task, example: Example, samples: int) -> PairWork:
    """All samples are generated."""
    return PairWork(samples=samples)


def make(request: Request) -> MadePairs:
    """The sampled answers with the largest gap between them that the request allows (see `Request.min_gap`).

    notes: cases without a pair, by the reason: `ties` (all answers score the same), `gap_too_small`, `score_too_low`
    (no answer is good enough to be chosen), `lengths_differ`.
    """
    sampled, cost = sampled_answers(request)
    pairs, without = [], Counter({"ties": 0})
    for example, answers in zip(request.examples, sampled, strict=True):
        scored = [(request.score(answer, example), answer) for answer in answers if answer]
        found = _widest(scored, example, request)
        if isinstance(found, str):
            without[found] += 1
        else:
            pairs.append(Pair(example.id, *found, "on_policy"))
    return MadePairs(pairs, cost, dict(without))


def _widest(scored: Sequence[Scored], example: Example, request: Request) -> tuple[str, str] | str:
    """The chosen and the rejected answer of one case, or why there is no such pair."""
    candidates = [(request.score(example.target, example), example.target)] if request.chosen_from == "gold" else scored
    both = [(better, worse) for better, worse in product(candidates, scored) if better[0] > worse[0]]
    if not both:
        return "ties"
    both = [one for one in both if one[0][0] - one[1][0] >= request.min_gap]
    if not both:
        return "gap_too_small"
    both = [one for one in both if one[0][0] >= request.min_score]
    if not both:
        return "score_too_low"
    both = [(better, worse) for better, worse in both if _alike_in_length(better[1], worse[1], request)]
    if not both:
        return "lengths_differ"
    better, worse = max(both, key=lambda one: one[0][0] - one[1][0])
    return better[1], worse[1]


def _alike_in_length(chosen: str, rejected: str, request: Request) -> bool:
    longest = request.max_length_difference
    return longest is None or abs(len(chosen) / len(rejected) - 1) <= longest
