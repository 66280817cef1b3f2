"""Answers that the policy gives to the cases of a request: its likeliest, or some that are drawn."""

from preceptor.engine import Cost, Sampling, generate
from preceptor.models import stop_tokens
from preceptor.preferences._request import Request


def likeliest_answers(request: Request) -> tuple[list[str], Cost]:
    """What the policy writes to each case, without surrounding space."""
    written, cost = _written(request, 1, None)
    return [one for (one,) in written], cost


def drawn_answers(request: Request) -> tuple[list[list[str]], Cost]:
    """`samples` answers to each case. What is drawn depends on the seed and the case's id alone."""
    times = request.samples
    seeds = [f"{request.seed} {example.id} {n}" for example in request.examples for n in range(times)]
    return _written(request, times, Sampling(request.temperature, seeds))


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
