"""The maker `on_policy`: the policy's own answers, good ones against bad ones by the task's metric."""

from preceptor.preferences._request import Request
from preceptor.preferences.makers._answers import drawn_answers, likeliest_answers
from preceptor.preferences.makers._pair import Made, Pair


def on_policy(request: Request) -> Made:
    """The best of some drawn answers to each case against the worst; cases on which all are equally good are ties."""
    drawn, cost = drawn_answers(request)
    pairs = []
    for example, answers in zip(request.examples, drawn, strict=True):
        scored = [(request.score(answer, example), answer) for answer in answers if answer]
        best, worst = (pick(scored, key=lambda one: one[0], default=(0.0, "")) for pick in (max, min))
        if best[0] > worst[0]:
            pairs.append(Pair(example.id, best[1], worst[1], "on_policy"))
    return Made(pairs, cost, {"ties": len(request.examples) - len(pairs)})


def own_mistakes(request: Request) -> Made:
    """The right answer against what the policy writes, where that is worse."""
    written, cost = likeliest_answers(request)
    pairs = [
        Pair(example.id, example.target, answer, "on_policy")
        for example, answer in zip(request.examples, written, strict=True)
        if answer and request.score(answer, example) < request.score(example.target, example)
    ]
    return Made(pairs, cost)
