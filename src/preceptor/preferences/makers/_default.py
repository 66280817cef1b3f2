"""The pairs of a study that names no maker: for each case, the first maker of a fixed order that has a pair."""

from preceptor.engine import Cost
from preceptor.preferences.makers import hardest_label, near_miss, published
from preceptor.preferences.makers._answers import greedy_answers
from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, Request, Setting, supports_all
from preceptor.tasks import Example, Task

EXPLANATIONS = {
    "published": published.explanation,
    "hardest_label": hardest_label.explanation,
    "on_policy": "what the SFT model itself wrote where that scored worse than the right answer",
    "near_miss": near_miss.explanation,
}
explanation = ", else ".join(EXPLANATIONS.values())
settings: tuple[Setting, ...] = ()
swaps_labels = True
unsupported_reason = supports_all


def expected_work(task: Task, example: Example, samples: int) -> PairWork:
    """That of the maker which most likely has a pair."""
    if example.rejected is not None:
        return published.expected_work(task, example, samples)
    return hardest_label.expected_work(task, example, samples) if task.answer.parser == "label" else PairWork(samples=1)


def make(request: Request) -> MadePairs:
    """At most one pair a case: by the rejected answer in the data, if there is one.

    Else label tasks take the hardest wrong label; free text takes the policy's greedy answer where it scores worse
    than the right one, else the right answer with one fact changed.
    """
    order = [published.make, hardest_label.make]
    if request.task.answer.parser != "label":
        order = [published.make, _worse_greedy_answers, near_miss.make]
    made: dict[str, Pair] = {}
    cost, label_ties = Cost(), 0
    for make_some in order:
        if (rest := request.without(made)).examples:
            some = make_some(rest)
            made |= {pair.example_id: pair for pair in some.pairs}
            cost, label_ties = cost + some.cost, label_ties + some.label_ties
    pairs = [made[example.id] for example in request.examples if example.id in made]
    return MadePairs(pairs, cost, label_ties=label_ties)


def _worse_greedy_answers(request: Request) -> MadePairs:
    """The right answer over the policy's greedy answer, where that scores worse."""
    answers, cost = greedy_answers(request)
    pairs = [
        Pair(example.id, example.target, answer, "on_policy")
        for example, answer in zip(request.examples, answers, strict=True)
        if answer and request.score(answer, example) < request.score(example.target, example)
    ]
    return MadePairs(pairs, cost)
