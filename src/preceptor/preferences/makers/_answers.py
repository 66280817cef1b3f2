"""Answers of the policy to the cases of a request: greedy or sampled."""

from collections.abc import Sequence
from dataclasses import replace

from preceptor.engine import Cost, Sampling, generate
from preceptor.models import stop_tokens
from preceptor.preferences.makers._maker import Request
from preceptor.progress import quiet


def greedy_answers(request: Request) -> tuple[list[str], Cost]:
    """The greedy answer to each case, stripped of whitespace."""
    generated, cost = _generated(request, 1, None)
    return [one for (one,) in generated], cost


def sampled_answers(request: Request) -> tuple[list[list[str]], Cost]:
    """`samples` answers to each case. They depend on the seed and the case's id only."""
    return _sampled(request, range(request.samples))


def distinct_answers(request: Request) -> tuple[list[list[str]], Cost]:
    """For each case the first two of its `sampled_answers` that differ; fewer where all are the same or empty.

    No more are generated than needed: two for each case, then one at a time where the previous ones are the same.
    """
    found: dict[str, list[str]] = {example.id: [] for example in request.examples}
    cost, rest = Cost(), request
    for numbers in (range(2), *(range(n, n + 1) for n in range(2, request.samples))):
        sampled, spent = _sampled(rest, numbers)
        cost += spent
        for example, answers in zip(rest.examples, sampled, strict=True):
            found[example.id] = list(dict.fromkeys([*found[example.id], *filter(None, answers)]))[:2]
        rest = replace(rest.without({id for id, two in found.items() if len(two) == 2}), advance=quiet)
        if not rest.examples:
            break
    return list(found.values()), cost


def _sampled(request: Request, numbers: Sequence[int]) -> tuple[list[list[str]], Cost]:
    """The samples with these numbers for each case; each sample has its own seed."""
    seeds = [f"{request.seed} {example.id} {n}" for example in request.examples for n in numbers]
    return _generated(request, len(numbers), Sampling(request.temperature, seeds))


def _generated(request: Request, times: int, sampling: Sampling | None) -> tuple[list[list[str]], Cost]:
    tokenizer = request.policy.tokenizer
    generated = [[""] * times for _ in request.examples]

    def on_batch(batch: list[int], answers: list[list[int]]) -> None:
        for index, ids in zip(batch, answers, strict=True):
            generated[index // times][index % times] = tokenizer.decode(ids, skip_special_tokens=True).strip()
        request.advance(sum(index % times == times - 1 for index in batch))

    cost = generate(
        request.policy,
        [prompt for prompt in request.prompts for _ in range(times)],
        max_new_tokens=request.task.answer.max_new_tokens,
        stop=stop_tokens(tokenizer),
        sampling=sampling,
        on_batch=on_batch,
    )
    return generated, cost
