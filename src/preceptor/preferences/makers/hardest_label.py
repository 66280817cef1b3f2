"""The maker `hardest_label`: the wrong label that the policy finds likeliest."""

from collections.abc import Sequence

from preceptor.engine import likeliest, score_answers
from preceptor.models import encode_answer
from preceptor.preferences.makers._labels import with_label, wrong_labels
from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, Request, Setting
from preceptor.tasks import Example, Task

explanation = "the wrong label that the SFT model found likeliest"
settings: tuple[Setting, ...] = ()
swaps_labels = True


def unsupported_reason(task: Task, examples: Sequence[Example]) -> str | None:
    """It needs labels."""
    return None if task.labels else "it takes wrong labels, and the answers are texts"


def expected_work(task: Task, example: Example, samples: int) -> PairWork:
    """Every wrong label is scored, behind the reasoning of the right answer where there is one."""
    return PairWork(labels=len(task.labels) - 1, shared=float(task.answer.parser != "label"))


def make(request: Request) -> MadePairs:
    """The right answer over the same with the wrong label of highest log-probability; ties are drawn and counted."""
    task, tokenizer = request.task, request.policy.tokenizer
    wrong = [[with_label(task, e.target, label) for label in wrong_labels(task, e)] for e in request.examples]
    candidates = [[encode_answer(tokenizer, text) for text in texts] for texts in wrong]
    scores, cost = score_answers(request.policy, request.prompts, candidates, request.numerics, request.advance)
    hardest = [likeliest(values, prompt) for values, prompt in zip(scores, request.prompts, strict=True)]
    pairs = [
        Pair(example.id, example.target, texts[one.index], "hardest_label")
        for example, texts, one in zip(request.examples, wrong, hardest, strict=True)
    ]
    return MadePairs(pairs, cost, label_ties=sum(one.tied for one in hardest))
