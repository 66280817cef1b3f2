"""Answers that the policy gives to the cases of a request: its likeliest, or some that are drawn."""

from collections.abc import Sequence
from dataclasses import replace

from preceptor.engine import Cost, Sampling, generate
from preceptor.models import stop_tokens
from preceptor.preferences._request import Request
from preceptor.progress import quiet


def likeliest_answers(request: Request) -> tuple[list[str], Cost]:
    """What the policy writes to each case, without surrounding space."""
    written, cost = _written(request, 1, None)
    return [one for (one,) in written], cost


def drawn_answers(request: Request) -> tuple[list[list[str]], Cost]:
    """`samples` answers to each case. What is drawn depends on the seed and the case's id alone."""
    return _drawn(request, range(request.samples))


def differing_answers(request: Request) -> tuple[list[list[str]], Cost]:
    """To each case the first two of its `drawn_answers` that differ; fewer where all are alike or empty.

    No more are drawn than that needs: two to each case, then one after another where those before are alike.
    """
    found: dict[str, list[str]] = {example.id: [] for example in request.examples}
    cost, left = Cost(), request
    for numbers in (range(2), *(range(n, n + 1) for n in range(2, request.samples))):
        drawn, spent = _drawn(left, numbers)
        cost += spent
        for example, answers in zip(left.examples, drawn, strict=True):
            found[example.id] = list(dict.fromkeys([*found[example.id], *filter(None, answers)]))[:2]
        left = replace(left.without({id for id, two in found.items() if len(two) == 2}), advance=quiet)
        if not left.examples:
            break
    return list(found.values()), cost


def _drawn(request: Request, numbers: Sequence[int]) -> tuple[list[list[str]], Cost]:
    """Those of each case's answers that have these numbers; each has a seed of its own."""
    seeds = [f"{request.seed} {example.id} {n}" for example in request.examples for n in numbers]
    return _written(request, len(numbers), Sampling(request.temperature, seeds))


def _written(request: Request, times: int, sampling: Sampling | None) -> tuple[list[list[str]], Cost]:
    tokenizer = request.policy.tokenizer
    written = [[""] * times for _ in request.examples]

    def keep(batch: list[int], answers: list[list[int]]) -> None:
        for index, ids in zip(batch, answers, strict=True):
            written[index // times][index % times] = tokenizer.decode(ids, skip_special_tokens=True).strip()
        request.advance(sum(index % times == times - 1 for index in batch))

    cost = generate(
        request.policy,
        [prompt for prompt in request.prompts for _ in range(times)],
        max_new_tokens=request.task.answer.max_new_tokens,
        stop=stop_tokens(tokenizer),
        sampling=sampling,
        on_batch=keep,
    )
    return written, cost
