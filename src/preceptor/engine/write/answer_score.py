"""How good a policy's answers are while it is trained, and how far it has moved from where it began."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch

from preceptor.engine.cost import Cost
from preceptor.engine.output_layer import float32_head
from preceptor.engine.parallel.shard import gathered, rank, whole
from preceptor.engine.settings import Numerics
from preceptor.engine.tree.batches import split_into_trees
from preceptor.engine.tree.logprobs import answer_logprobs
from preceptor.engine.tree.sharing import shares_prefixes
from preceptor.engine.write.generate import Sampling, generate
from preceptor.models import Encoded, Policy, stop_tokens

Answers = Callable[[Policy, Sequence[list[int]]], tuple[list[str], Cost]]
"""The texts of a policy's answers to prompts, and what they cost."""


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """What `train` measures with: `eval_score`, the mean of `rate(number of the prompt, text)` over the answers to
    `prompts`, higher being better, and with `samples` also `eval_kl`. It can be pickled if its functions can.

    answers: gives the texts of the answers to some prompts; greedy generation by default.

    eval_kl: an estimate of KL(policy before training || policy) in nats an answer, of answers of at most
    `max_new_tokens` tokens: the mean of log p_before - log p over answers to the first `samples` prompts, drawn once
    from the policy before training. It is 0 before the first step, unbiased, and so now and then a little below 0.
    Several processes that share one model each hold the whole of it meanwhile, and answer every so many-th prompt.
    """

    prompts: Sequence[list[int]] = field(repr=False)
    max_new_tokens: int
    rate: Callable[[int, str], float]
    numerics: Numerics
    seed: int
    samples: int = 0
    answers: Answers | None = None

    def __call__(self, policy: Policy, cost: Cost) -> Callable[[Policy, Cost], dict[str, float]]:
        """Draw what `eval_kl` needs of the policy before training; gives what measures a policy later on."""
        drawn: dict[int, list[int]] = {}
        if not self.samples:
            return partial(self._measure, [], [])

        def keep(numbers: list[int], tokens: list[int], _: torch.Tensor) -> tuple[()]:
            for number, token in zip(numbers, tokens, strict=True):
                drawn.setdefault(number, []).append(token)  # the one that ends it too
            return ()

        with whole(policy.model):
            mine = _own(range(len(self.prompts[: self.samples])), self.numerics)
            prompts = [self.prompts[i] for i in mine]
            sampling = Sampling(1.0, [f"{self.seed} kl {i}" for i in mine])
            spent = generate(
                policy,
                prompts,
                max_new_tokens=self.max_new_tokens,
                stop=stop_tokens(policy.tokenizer),
                sampling=sampling,
                on_batch=lambda *_: None,
                on_token=keep,
            )
            _add(spent, cost)
            answers = [Encoded(prompt, drawn[i]) for i, prompt in enumerate(prompts)]
            before = logprobs_of_answers(policy, answers, self.numerics, cost)
        return partial(self._measure, answers, before)

    def _measure(
        self, answers: Sequence[Encoded], before: Sequence[float], policy: Policy, cost: Cost
    ) -> dict[str, float]:
        with whole(policy.model):
            scores = self._scores(policy, cost)
            now = logprobs_of_answers(policy, answers, self.numerics, cost)
        log_ratios = [a - b for a, b in zip(before, now, strict=True)]
        # As a sum over prompts in their order, the mean depends neither on batches nor on processes.
        every_score = {number: score for part in gathered(scores) for number, score in part.items()}
        found = {"eval_score": sum(every_score[i] for i in sorted(every_score)) / len(every_score)}
        if every_ratio := [ratio for part in gathered(log_ratios) for ratio in part]:
            found["eval_kl"] = sum(every_ratio) / len(every_ratio)
        return found

    def _scores(self, policy: Policy, cost: Cost) -> dict[int, float]:
        mine = _own(range(len(self.prompts)), self.numerics)
        texts, spent = (self.answers or self._written)(policy, [self.prompts[i] for i in mine])
        _add(spent, cost)
        return {number: self.rate(number, text) for number, text in zip(mine, texts, strict=True)}

    def _written(self, policy: Policy, prompts: Sequence[list[int]]) -> tuple[list[str], Cost]:
        texts: dict[int, str] = {}

        def keep(numbers: list[int], answers: list[list[int]]) -> None:
            for number, ids in zip(numbers, answers, strict=True):
                texts[number] = policy.tokenizer.decode(ids, skip_special_tokens=True)

        stop, longest = stop_tokens(policy.tokenizer), self.max_new_tokens
        spent = generate(policy, prompts, max_new_tokens=longest, stop=stop, on_batch=keep)
        return [texts[number] for number in range(len(prompts))], spent


@torch.no_grad()
def logprobs_of_answers(
    policy: Policy, answers: Sequence[Encoded], numerics: Numerics, cost: Cost | None = None
) -> list[float]:
    """Log-probability of each whole answer, in nats, in the order of the trees they are computed on, which is always
    the same: equal weights give equal bits.
    """
    policy.model.eval()
    share, found = shares_prefixes(policy), list[float]()
    with float32_head(policy.model):
        for tree in split_into_trees(answers, lambda one: [one.prompt + one.answer], numerics.tokens_per_tree):
            found += [float(one.sum()) for one in answer_logprobs(policy.model, tree, share=share, cost=cost)]
    return found


def _own(numbers: Sequence[int], numerics: Numerics) -> Sequence[int]:
    """Those that this process answers."""
    return numbers[rank() :: numerics.processes]


def _add(spent: Cost, cost: Cost) -> None:
    """All but seconds, which whoever trains counts itself."""
    cost.tokens_seen += spent.tokens_seen
    cost.tokens_computed += spent.tokens_computed
    cost.flops += spent.flops
    cost.peak_memory_bytes = max(cost.peak_memory_bytes, spent.peak_memory_bytes)
