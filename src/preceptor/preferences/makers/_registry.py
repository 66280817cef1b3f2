"""The makers put together: who makes the pairs of a study, and which tasks a maker can work on."""

from collections.abc import Sequence

from preceptor.engine import Cost
from preceptor.preferences._request import Request
from preceptor.preferences.makers._pair import Made, Maker, Pair
from preceptor.preferences.makers.hardest_label import hardest_label
from preceptor.preferences.makers.judge import judge
from preceptor.preferences.makers.near_miss import near_miss
from preceptor.preferences.makers.on_policy import on_policy, own_mistakes
from preceptor.preferences.makers.published import published
from preceptor.preferences.makers.votes import votes
from preceptor.tasks import Example, Task


def make_pairs(maker: Maker | None, request: Request) -> Made:
    """Pairs by one maker alone, or, without one, by whatever makes one for a case.

    In the order of the examples, and at most one an example but for votes. Cases for which none can be made are left
    out; the caller counts.
    """
    match maker:
        case None:
            return _whatever_works(request)
        case "published":
            return published(request)
        case "hardest_label":
            return hardest_label(request)
        case "on_policy":
            return on_policy(request)
        case "near_miss":
            return near_miss(request)
        case "judge":
            return judge(request)
        case "votes":
            assert request.votes is not None
            return votes(request.votes, request.task, request.examples)


def cannot_make(maker: Maker, task: Task, examples: Sequence[Example]) -> str | None:
    """Why a maker has nothing to work with on these cases of a task; None where it has."""
    if maker == "hardest_label" and not task.labels:
        return "it takes wrong labels, and the answers are texts"
    if maker == "near_miss" and task.answer.parser == "label":
        return "it changes a fact in a text, and the answers are labels"
    if maker == "published" and all(example.rejected is None for example in examples):
        return "it takes rejected answers from the data, and they bring none"
    return None


def _whatever_works(request: Request) -> Made:
    """A rejected answer that the data bring is taken as it is.

    Else label tasks get the wrong label the policy likes best, and free text what the policy itself writes when that
    is worse than the right answer, else the right answer with one fact changed.
    """
    makers = [published, hardest_label]
    if request.task.answer.parser != "label":
        makers = [published, own_mistakes, near_miss]
    made: dict[str, Pair] = {}
    cost, label_ties = Cost(), 0
    for maker in makers:
        if (rest := request.without(made)).examples:
            some = maker(rest)
            made |= {pair.example_id: pair for pair in some.pairs}
            cost, label_ties = cost + some.cost, label_ties + some.label_ties
    pairs = [made[example.id] for example in request.examples if example.id in made]
    return Made(pairs, cost, label_ties=label_ties)
