"""How much work it is to make pairs, and how long their rejected answers will be, as their maker expects."""

from collections.abc import Sequence

from preceptor.engine import Work, tree_work, writing_work
from preceptor.models import Encoded
from preceptor.preferences import PairWork, find_maker
from preceptor.study.cases import Prepared
from preceptor.study.expected_work import WorkContext, gold_lengths, stand_in
from preceptor.study.stages._pair_cases import PairCases

_LABEL_TOKENS = 3
"""At the end of a line of reasoning: the label, a stop and the stop token, give or take one."""


def expected_work(task: Prepared, cases: PairCases, maker: str | None, samples: int) -> list[PairWork]:
    """The policy's work for the pair of each case."""
    work = find_maker(maker).expected_work
    return [work(task.task, example, samples) for example in cases.examples]


def making_pairs(context: WorkContext, cases: PairCases, each: Sequence[PairWork]) -> Work:
    """The policy's work to make pairs: `each` is that of one case."""
    share, task, both = context.shares, context.task.task, list(zip(cases.encoded, each, strict=True))
    candidates = [[_rejected(case, work, n) for n in range(1, work.labels + 1)] for case, work in both if work.labels]
    scoring = tree_work("score", candidates, context.study.numerics.tokens_per_tree, share=share)
    sampled = [case.prompt for case, work in both for _ in range(work.samples)]
    lengths = gold_lengths(context.task, len(sampled))
    return scoring + writing_work(sampled, lengths, task.answer.max_new_tokens, share=share)


def expected_pairs(cases: PairCases, each: Sequence[PairWork]) -> list[list[Encoded]]:
    """The chosen and the rejected answer of every case; token ids stand in for the rejected one."""
    return [[case, _rejected(case, work)] for case, work in zip(cases.encoded, each, strict=True)]


def _rejected(case: Encoded, work: PairWork, which: int = 1) -> Encoded:
    """Stands for a rejected answer: as long as it will be, and with the same first tokens as gold."""
    shared = -_LABEL_TOKENS if work.shared == 1 else int(len(case.answer) * work.shared)
    longer = max(1, round(len(case.answer) * work.length)) - len(case.answer)
    answer = (stand_in(case.answer, shared, which) + [-1 - which] * longer)[: len(case.answer) + longer]
    return Encoded(case.prompt, answer)
