"""How much work it is to make pairs, and how long their rejected answers will be."""

from preceptor.engine import EncodedPair, Workload, scoring_workload, writing_workload
from preceptor.models import Encoded
from preceptor.preferences import Maker
from preceptor.study.cases import Prepared
from preceptor.study.stages._pair_files import PairCases
from preceptor.study.work import WorkContext, gold_lengths, stand_in
from preceptor.tasks import Example

_LABEL_TOKENS = 3
"""At the end of a line of reasoning: the label, a stop and the stop token, give or take one."""


def making_pairs(context: WorkContext, cases: PairCases, maker: Maker | None, samples: int) -> Workload:
    """What the policy does to make pairs; how fast a judge answers, nobody knows."""
    task, shares = context.task.task, context.shares
    if maker in ("published", "near_miss", "votes"):
        return Workload()
    prompts = [case.prompt for case in cases.encoded]
    if maker == "hardest_label" or (maker is None and task.answer.parser == "label"):
        wrong = range(1, len(task.labels))
        kept = 0 if task.answer.parser == "label" else -_LABEL_TOKENS
        candidates = [[stand_in(case.answer, kept, n) for n in wrong] for case in cases.encoded]
        return scoring_workload(prompts, candidates, context.numerics, share=shares)
    times = 1 if maker is None else 2 if maker == "judge" else samples  # a judge's first two mostly differ
    drawn = [prompt for prompt in prompts for _ in range(times)]
    lengths = gold_lengths(context.task, len(drawn))
    return writing_workload(drawn, lengths, task.answer.max_new_tokens, share=shares)


def expected_pairs(task: Prepared, cases: PairCases, maker: Maker | None) -> list[EncodedPair]:
    """A pair of every case; token ids stand in for its rejected answer."""
    both = zip(cases.examples, cases.encoded, strict=True)
    return [EncodedPair(case.prompt, case.answer, _rejected(task, example, case, maker)) for example, case in both]


def _rejected(prepared: Prepared, example: Example, case: Encoded, maker: Maker | None) -> list[int]:
    """Token ids that stand for a rejected answer: as long as it will be, and as far like gold."""
    answer, is_label = case.answer, prepared.task.answer.parser == "label"
    if example.rejected is not None and maker in (None, "published"):
        times = len(example.rejected) / max(1, len(example.target))
        return [-1] * max(1, round(len(answer) * times))
    if maker == "hardest_label" and not is_label:
        return stand_in(answer, -_LABEL_TOKENS, 1)
    return stand_in(answer, len(answer) // 2 if maker == "near_miss" else 0, 1)
