"""The maker `hardest_label`: the wrong label that the policy likes best."""

from preceptor.engine import likeliest, score_answers
from preceptor.models import encode_answer
from preceptor.preferences._request import Request
from preceptor.preferences.makers._labels import with_label, wrong_labels
from preceptor.preferences.makers._pair import Made, Pair


def hardest_label(request: Request) -> Made:
    """The right answer against the same with the wrong label that has the highest log-probability; ties are counted."""
    task, tokenizer = request.task, request.policy.tokenizer
    wrong = [[with_label(task, e.target, label) for label in wrong_labels(task, e)] for e in request.examples]
    candidates = [[encode_answer(tokenizer, text) for text in texts] for texts in wrong]
    scores, cost = score_answers(request.policy, request.prompts, candidates, request.numerics, request.advance)
    hardest = [likeliest(values, prompt) for values, prompt in zip(scores, request.prompts, strict=True)]
    pairs = [
        Pair(example.id, example.target, texts[one.index], "hardest_label")
        for example, texts, one in zip(request.examples, wrong, hardest, strict=True)
    ]
    return Made(pairs, cost, label_ties=sum(one.tied for one in hardest))
