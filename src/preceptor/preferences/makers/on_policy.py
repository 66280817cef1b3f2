"""The maker `on_policy`: the policy's own samples, the best against the worst by the task's metric."""

from preceptor.preferences.makers._answers import sampled_answers
from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, Request, Setting, supports_all
from preceptor.tasks import Example, Task

explanation = "the worst, by the task's metric, of several answers drawn from the SFT model, the best being chosen"
settings: tuple[Setting, ...] = ("samples", "temperature")
unsupported_reason = supports_all


def expected_work(task: Task, example: Example, samples: int) -> PairWork:
    """All samples are generated."""
    return PairWork(samples=samples)


def make(request: Request) -> MadePairs:
    """The best of the sampled answers over the worst; cases whose answers all score the same are noted as `ties`."""
    sampled, cost = sampled_answers(request)
    pairs = []
    for example, answers in zip(request.examples, sampled, strict=True):
        scored = [(request.score(answer, example), answer) for answer in answers if answer]
        best, worst = (pick(scored, key=lambda one: one[0], default=(0.0, "")) for pick in (max, min))
        if best[0] > worst[0]:
            pairs.append(Pair(example.id, best[1], worst[1], "on_policy"))
    return MadePairs(pairs, cost, {"ties": len(request.examples) - len(pairs)})
