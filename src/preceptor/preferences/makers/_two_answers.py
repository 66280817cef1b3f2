"""Answers of a policy for raters to compare: its likeliest, and another that differs."""

from collections.abc import Callable

from preceptor.preferences._request import Request
from preceptor.preferences.labelling._items import Answer
from preceptor.preferences.makers._answers import drawn_answers, likeliest_answers
from preceptor.tasks import INVALID, Task


def two_answers(request: Request, source: str, other: Callable[[Request], Request]) -> dict[str, tuple[Answer, Answer]]:
    """Case -> the policy's likeliest answer, and the first drawn one that differs, else the untouched model's.

    Cases for which neither differs are left out. What is drawn depends on the seed and the case's id alone. `source`
    says whose answers these are; `other` turns the cases that are left into a request to the untouched model.
    """
    first = _likeliest(request)
    found = {
        case: (Answer(first[case], source), second)
        for case, texts in zip(first, drawn_answers(request)[0], strict=True)
        if (second := _first_that_differs(request.task, first[case], texts, source))
    }
    rest = request.without(found)
    if rest.examples:
        for case, text in _likeliest(other(rest)).items():
            if differ(request.task, first[case], text):
                found[case] = (Answer(first[case], source), Answer(text, "base"))
    return found


def differ(task: Task, a: str, b: str) -> bool:
    """Whether two answers are worth a rater's time: both can be read, and they say different things.

    Labels differ as labels; other answers in more than case and space.
    """
    read_a, read_b = task.parse(a), task.parse(b)
    if INVALID in (read_a, read_b):
        return False
    if task.answer.parser == "label":
        return read_a != read_b
    return a.casefold().split() != b.casefold().split()


def _likeliest(request: Request) -> dict[str, str]:
    return dict(zip((example.id for example in request.examples), likeliest_answers(request)[0], strict=True))


def _first_that_differs(task: Task, first: str, texts: list[str], source: str) -> Answer | None:
    for number, text in enumerate(texts, start=1):
        if differ(task, first, text):
            return Answer(text, f"{source} sample {number}")
    return None
