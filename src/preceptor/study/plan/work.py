"""How much work each stage and each arm's answers will be. What nobody knows beforehand is taken from gold answers."""

from collections.abc import Sequence

from preceptor.engine import (
    EncodedPair,
    Numerics,
    Operations,
    Workload,
    distinct_prefixes,
    dpo_workload,
    scoring_workload,
    sft_workload,
    writing_workload,
)
from preceptor.models import Encoded
from preceptor.preferences import PairWork, find_maker
from preceptor.study.cases import Prepared
from preceptor.study.spec.study import Study
from preceptor.study.stages.pairs import PairCases, pair_cases

_LABEL_TOKENS = 3
"""At the end of a line of reasoning: the label, a stop and the stop token, give or take one."""


def stage_work(
    study: Study, prepared: Prepared, arm: str, operations: Operations, *, shares: bool
) -> dict[str, Workload]:
    """What the arm's last stage does, and the pairs it needs, by what it is called; SFT may stop earlier."""
    if arm == "sft":
        settings = prepared.entry.sft or study.sft
        work = sft_workload(prepared.train, prepared.validation, settings, _numerics(study), share=shares)
        return {"SFT": work}
    maker = study.maker_of(arm)
    cases = pair_cases(prepared, study.pairs.limit, 0, maker)
    expected_work = find_maker(maker).expected_work
    each = [expected_work(prepared.task, example, study.pairs.samples) for example in cases.examples]
    learned = {
        "pairs": _making(study, prepared, cases, each, shares),
        "DPO": _dpo(study, prepared, cases, each, shares),
    }
    return {"SFT continued": _continued(study, prepared, learned, operations, shares)} if arm == "sft+sft" else learned


def answer_work(study: Study, prepared: Prepared, arm: str, *, shares: bool) -> Workload:
    """What the arm's answers to the held-out cases take of the model: nothing where it has none of its own."""
    task, prompts = prepared.task, prepared.test
    if arm in ("tfidf", "endpoint"):
        return Workload()
    if arm == "base+shots":
        prompts = _with_shots(study, prepared)
        if task.answer.parser == "label":
            labels = [_other(prepared.train[0].answer, 0, n) for n in range(len(task.labels))]
            return scoring_workload(prompts, [labels] * len(prompts), _numerics(study), share=shares)
    longest = task.answer.max_new_tokens
    # An untouched model seldom knows where to end.
    lengths = [longest + 1] * len(prompts) if arm == "base" else _as_long_as_gold(prepared, len(prompts))
    return writing_workload(prompts, lengths, longest, share=shares)


def _making(study: Study, prepared: Prepared, cases: PairCases, each: Sequence[PairWork], shares: bool) -> Workload:
    """The policy's work to make pairs: `each` is that of one case."""
    scored = [(case, work) for case, work in zip(cases.encoded, each, strict=True) if work.labels]
    candidates = [[_rejected(case, work, n) for n in range(1, work.labels + 1)] for case, work in scored]
    scoring = scoring_workload([case.prompt for case, _ in scored], candidates, _numerics(study), share=shares)
    sampled = [case.prompt for case, work in zip(cases.encoded, each, strict=True) for _ in range(work.samples)]
    lengths = _as_long_as_gold(prepared, len(sampled))
    return scoring + writing_workload(sampled, lengths, prepared.task.answer.max_new_tokens, share=shares)


def _dpo(study: Study, prepared: Prepared, cases: PairCases, each: Sequence[PairWork], shares: bool) -> Workload:
    """Every case is taken to give a pair."""
    pairs = [
        EncodedPair(case.prompt, case.answer, _rejected(case, work))
        for case, work in zip(cases.encoded, each, strict=True)
    ]
    train, validation = pairs[: cases.trained_on], pairs[cases.trained_on :]
    settings = prepared.entry.dpo or study.dpo
    return dpo_workload(train, validation, settings, _numerics(study), share=shares)


def _continued(
    study: Study, prepared: Prepared, learned: dict[str, Workload], operations: Operations, shares: bool
) -> Workload:
    """As much more SFT as takes the operations that pairs and DPO took, which are spent in training alone."""
    settings = prepared.entry.sft or study.sft
    sft = sft_workload(prepared.train, prepared.validation, settings, _numerics(study), share=shares)
    spent = sum(work.flops(operations) for work in learned.values())
    training = operations.training * operations.forward(sft.train.tokens, sft.train.rows)
    return sft.times(spent / training)


def _rejected(case: Encoded, work: PairWork, which: int = 1) -> list[int]:
    """Token ids that stand for a rejected answer: as long as it will be, and with the same first tokens as gold."""
    shared = -_LABEL_TOKENS if work.shared == 1 else int(len(case.answer) * work.shared)
    length = max(1, round(len(case.answer) * work.length))
    return (list(case.answer[:shared]) + [-1 - which] * length)[:length]


def _other(answer: Sequence[int], kept: int, which: int) -> list[int]:
    """An answer as long as another, and like it in its first `kept` tokens, or in all but its last for less than 0."""
    alike = list(answer[:kept])
    return alike + [-1 - which] * (len(answer) - len(alike))


def _as_long_as_gold(prepared: Prepared, count: int) -> list[int]:
    """How many tokens so many answers will have, if they are like those of training cases."""
    lengths = [len(case.answer) for case in prepared.train]
    return [lengths[i % len(lengths)] for i in range(count)]


def _with_shots(study: Study, prepared: Prepared) -> list[list[int]]:
    """Token ids that stand for the prompts of `base+shots`: training cases between instruction and question."""
    first, last = min(prepared.test), max(prepared.test)
    instruction = len(first) + len(last) - distinct_prefixes([first, last])
    shots = [case.prompt[instruction:] + case.answer for case in prepared.train[: study.shots.count]]
    prompts = []
    for prompt in prepared.test:
        room = study.max_length - prepared.task.answer.max_new_tokens - len(prompt)
        shown = shots
        while shown and sum(map(len, shown)) > room:
            shown = shown[:-1]
        prompts.append(prompt[:instruction] + [token for one in shown for token in one] + prompt[instruction:])
    return prompts


def _numerics(study: Study) -> Numerics:
    """Only how many tokens a tree may have matters here."""
    return Numerics(tokens_per_tree=study.numerics.tokens_per_tree)
