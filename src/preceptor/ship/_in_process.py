"""A model in this process, asked as trained arms are, with the log-probabilities of what it says."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from preceptor.chat_server import Reply
from preceptor.engine import generate
from preceptor.models import Policy, stop_tokens
from preceptor.tasks import Example

_ROWS = 32
"""As many at a time as in a study."""


def answers_of(policy: Policy, max_new_tokens: int) -> Callable[[Sequence[Example], Sequence[list[int]]], list[Reply]]:
    """What `short_check` asks a policy with; `max_new_tokens` is the task's."""

    def answer(_: Sequence[Example], prompts: Sequence[list[int]]) -> list[Reply]:
        tokenizer, stop = policy.tokenizer, stop_tokens(policy.tokenizer)
        logprobs: list[list[float]] = [[] for _ in prompts]
        answers: dict[int, list[int]] = {}

        def note(indices: list[int], tokens: list[int], logits: Tensor) -> tuple[()]:
            chosen = logits.float().log_softmax(-1)[torch.arange(len(tokens)), torch.tensor(tokens)]
            for i, logprob in zip(indices, chosen.tolist(), strict=True):
                logprobs[i].append(logprob)
            return ()

        def read(batch: list[int], ids: list[list[int]]) -> None:
            answers.update(zip(batch, ids, strict=True))

        generate(policy, prompts, max_new_tokens=max_new_tokens, stop=stop, rows=_ROWS, on_batch=read, on_token=note)
        return [_reply(tokenizer, answers[i], logprobs[i]) for i in range(len(prompts))]

    return answer


def _reply(tokenizer: Any, ids: list[int], logprobs: list[float]) -> Reply:
    """The stop token's log-probability, the last, is no part of the text."""
    told = tuple((tokenizer.decode([one]), logprob) for one, logprob in zip(ids, logprobs, strict=False))
    return Reply(tokenizer.decode(ids, skip_special_tokens=True), logprobs=told)
