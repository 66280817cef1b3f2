"""How good one answer to one case is: where a task's metric meets the text a model wrote."""

from preceptor.evidence import fact_f1, rouge_l
from preceptor.tasks import INVALID, Example, Task

LABEL_METRICS = ("accuracy", "macro_f1", "sensitivity")
"""All of them ask of one case whether the label is right."""

TEXT_METRICS = ("fact_f1", "rouge_l")
"""A text's own score; an output has the mean of them."""


def case_score(task: Task, text: str, example: Example, metric: str | None = None) -> float:
    """Between 0 and 1: right or wrong for labels, the case's own fact-F1 or ROUGE-L for text. INVALID scores 0."""
    answer, name = task.parse(text), metric or task.metric
    if name not in LABEL_METRICS + TEXT_METRICS:
        raise ValueError(f"no case can be scored by the metric {name!r}")
    if answer == INVALID:
        return 0.0
    match name:
        case "fact_f1":
            return fact_f1(task.facts(example.target), task.facts(answer))
        case "rouge_l":
            return rouge_l(example.target, answer)
        case _:
            return float(answer == gold_label(task, example))


def gold_label(task: Task, example: Example) -> str:
    """The right label; the target itself may be a whole line of reasoning that ends in it."""
    return example.target if example.target in task.labels else task.parse(example.target)
