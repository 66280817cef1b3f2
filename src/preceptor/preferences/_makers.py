"""Rejected answers, made from the SFT policy's own mistakes where it makes any. Training patients only."""

import random
import re
from collections.abc import Callable, Sequence

from preceptor.engine import Cost, Numerics, generate, score_answers
from preceptor.models import Policy, encode, stop_tokens
from preceptor.preferences._near_miss import change_one_fact
from preceptor.preferences._pair import Pair
from preceptor.progress import Advance, quiet
from preceptor.tasks import Example, Task

Score = Callable[[str, Example], float]
"""How good an answer to a case is, between 0 and 1: the task's metric for one case."""


def make_pairs(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    prompts: Sequence[list[int]],
    score: Score,
    numerics: Numerics,
    *,
    seed: int,
    advance: Advance = quiet,
) -> tuple[list[Pair], Cost]:
    """One pair an example at most, in the order of `examples`; prompts[i] are the token ids of examples[i].

    A rejected answer that the data brings is taken as it is. Otherwise label tasks get the wrong label the policy
    likes best, and free text what the policy itself writes when that scores worse than the gold answer, else the gold
    answer with one fact changed. An example for which nothing can be made is left out; the caller counts.
    """
    own = {e.id: Pair(e.id, e.target, e.rejected, "published") for e in examples if e.rejected is not None}
    rest = [(e, p) for e, p in zip(examples, prompts, strict=True) if e.id not in own]
    if not rest:
        return list(own.values()), Cost()
    maker = _hardest_label if task.answer.parser == "label" else _own_mistake
    made, cost = maker(policy, task, [e for e, _ in rest], [p for _, p in rest], score, numerics, seed, advance)
    by_id = own | {pair.example_id: pair for pair in made}
    return [by_id[example.id] for example in examples if example.id in by_id], cost


def _hardest_label(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    prompts: Sequence[list[int]],
    score: Score,
    numerics: Numerics,
    seed: int,
    advance: Advance,
) -> tuple[list[Pair], Cost]:
    """The wrong label with the highest log-probability under the policy."""
    answers = {label: encode(policy.tokenizer, _NO_PROMPT, label).answer for label in task.labels}
    wrong = [[label for label in task.labels if label != example.target] for example in examples]
    candidates = [[answers[label] for label in labels] for labels in wrong]
    scores, cost = score_answers(policy, prompts, candidates, numerics, advance)
    pairs = [
        Pair(example.id, example.target, labels[values.index(max(values))], "hardest_label")
        for example, labels, values in zip(examples, wrong, scores, strict=True)
    ]
    return pairs, cost


def _own_mistake(
    policy: Policy,
    task: Task,
    examples: Sequence[Example],
    prompts: Sequence[list[int]],
    score: Score,
    numerics: Numerics,
    seed: int,
    advance: Advance,
) -> tuple[list[Pair], Cost]:
    """What the policy writes, when it scores worse than gold; else a near miss of the gold answer."""
    written: dict[int, str] = {}

    def keep(batch: list[int], answers: list[list[int]]) -> None:
        for index, ids in zip(batch, answers, strict=True):
            written[index] = policy.tokenizer.decode(ids, skip_special_tokens=True).strip()
        advance(len(batch))

    cost = generate(
        policy, prompts, max_new_tokens=task.answer.max_new_tokens, stop=stop_tokens(policy.tokenizer), on_batch=keep
    )
    pairs = []
    for index, example in enumerate(examples):
        if written[index] and score(written[index], example) < score(example.target, example):
            pairs.append(Pair(example.id, example.target, written[index], "on_policy"))
        elif missed := _near_miss(task, example, random.Random(f"{seed} {example.id}")):
            pairs.append(missed)
    return pairs, cost


def _near_miss(task: Task, example: Example, rng: random.Random) -> Pair | None:
    """The gold answer with one fact made wrong: its final label where the task ends in one, else a clinical fact."""
    if task.answer.parser == "final_answer":
        return Pair(example.id, example.target, _wrong_final_label(task, example.target, rng), "near_miss")
    changed = change_one_fact(example.target, rng)
    return Pair(example.id, example.target, changed.text, "near_miss") if changed else None


def _wrong_final_label(task: Task, target: str, rng: random.Random) -> str:
    """The same reasoning with another label behind its last marker; a target that is only a label has no marker."""
    right = target if target in task.labels else task.parse(target)
    wrong = rng.choice([label for label in task.labels if label != right])
    markers = list(re.finditer(re.escape(task.answer.marker), target, re.IGNORECASE))
    return f"{target[: markers[-1].end()]} {wrong}" if markers else wrong


# Answers are tokenised apart from their prompt, so any prompt gives the same answer ids.
_NO_PROMPT = [{"role": "user", "content": ""}]
