"""Two answers of a policy to a case for raters to compare: its greedy answer, and another that differs."""

from collections.abc import Callable

from preceptor.preferences.labelling._items import Answer
from preceptor.preferences.makers._answers import greedy_answers, sampled_answers
from preceptor.preferences.makers._maker import Request
from preceptor.tasks import INVALID, Task


def two_answers(request: Request, source: str, other: Callable[[Request], Request]) -> dict[str, tuple[Answer, Answer]]:
    """Case id -> the greedy answer, and the first sampled one that differs, else the untouched model's greedy one.

    Cases for which neither differs are left out. Samples depend on the seed and the case's id only. `source` names the
    policy in each answer; `other` turns a request for the remaining cases into one to the untouched model.
    """
    first = _greedy(request)
    found = {
        case: (Answer(first[case], source), second)
        for case, texts in zip(first, sampled_answers(request)[0], strict=True)
        if (second := _first_that_differs(request.task, first[case], texts, source))
    }
    rest = request.without(found)
    if rest.examples:
        for case, text in _greedy(other(rest)).items():
            if differ(request.task, first[case], text):
                found[case] = (Answer(first[case], source), Answer(text, "base"))
    return found


def differ(task: Task, a: str, b: str) -> bool:
    """Whether two answers are worth a rater's time: both can be parsed, and their contents differ.

    Labels are compared as labels, other answers without regard to case and whitespace.
    """
    parsed_a, parsed_b = task.parse(a), task.parse(b)
    if INVALID in (parsed_a, parsed_b):
        return False
    if task.answer.parser == "label":
        return parsed_a != parsed_b
    return a.casefold().split() != b.casefold().split()


def _greedy(request: Request) -> dict[str, str]:
    return dict(zip((example.id for example in request.examples), greedy_answers(request)[0], strict=True))


def _first_that_differs(task: Task, first: str, texts: list[str], source: str) -> Answer | None:
    for number, text in enumerate(texts, start=1):
        if differ(task, first, text):
            return Answer(text, f"{source} sample {number}")
    return None
