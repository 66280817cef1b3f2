"""Can word counts do the built-in tasks? `python -m benchmarks.baselines [--json] [OUTPUT ...]`

For every built-in task with labels: 3,000 cases of seed 0; simple classifiers learn the train cases and answer the
test cases, whose fact patterns and wordings are others. A task that they solve (0.9 or more) would need no language
model. In a row, `ours` is the classifier's score, `peer` the score of always answering the commonest train label.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from preceptor.errors import InputError
from preceptor.study.answers.tfidf import learn_numbers, learn_words
from preceptor.study.score import labels_merit
from preceptor.tasks import Example, Task, load_task, make_cases

OUTPUTS = (
    "text_classification",
    "numeric_classification",
    "clinical_reasoning",
    "triage_provider",
    "triage_urgency",
)
COUNT, SEED = 3000, 0
BOUND, ENOUGH = 0.9, 3

Classifier = Callable[[Sequence[str], Sequence[str], Sequence[str]], Sequence[str]]


@dataclass(frozen=True)
class Row:
    """One line of the table; `holds` says whether `ours` is on the right side of `bound`."""

    what: str
    case: str
    ours: float | None
    peer: float | None
    unit: str
    ratio: float | None
    bound: float
    holds: bool


def words(texts: Sequence[str], labels: Sequence[str], held_out: Sequence[str]) -> Sequence[str]:
    """TF-IDF of words and word pairs, numbers among them, and logistic regression."""
    return learn_words(texts, labels)(held_out)[0]


def numbers(texts: Sequence[str], labels: Sequence[str], held_out: Sequence[str]) -> Sequence[str]:
    """Boosted trees over the numbers of a text in the order they stand there."""
    return learn_numbers(texts, labels)(held_out)[0]


def commonest(texts: Sequence[str], labels: Sequence[str], held_out: Sequence[str]) -> Sequence[str]:
    """The commonest label, whatever the text."""
    return [max(sorted(set(labels)), key=list(labels).count)] * len(held_out)


CLASSIFIERS: dict[str, Classifier] = {"TF-IDF + logistic regression": words, "boosted trees on numbers": numbers}


def measure(name: str) -> list[Row]:
    """The rows of one output; one row that does not hold when its task or its cases are missing."""
    try:
        task = load_task(name)
        cases = make_cases(task.cases or name, COUNT, SEED)
    except InputError:
        return [_missing(name)]
    majority = score(task, cases, commonest)
    unit = task.metric.replace("_", "-")
    rows = []
    for title, classifier in CLASSIFIERS.items():
        if classifier is numbers and name != "numeric_classification":
            continue
        ours = score(task, cases, classifier)
        rows.append(
            Row(f"{title} stays below {BOUND}", name, ours, majority, unit, ours / majority, BOUND, ours < BOUND)
        )
    return rows


def score(task: Task, cases: Sequence[Example], classifier: Classifier) -> float:
    """The task's metric of a classifier that learnt from the train cases, on the test cases."""
    train = [case for case in cases if case.split == "train"]
    test = [case for case in cases if case.split == "test"]
    gold = [task.parse(case.target) for case in test]
    answers = classifier([_text(c) for c in train], [task.parse(c.target) for c in train], [_text(c) for c in test])
    return labels_merit(task, gold, answers, [{}] * len(gold))


def _text(case: Example) -> str:
    return "\n".join(case.fields.values())


def _missing(name: str) -> Row:
    return Row("the built-in task or its cases are missing", name, None, None, "", None, BOUND, False)


def _summary(rows: Sequence[Row]) -> Row:
    below = sum(all(row.holds for row in rows if row.case == name) for name in OUTPUTS)
    what = f"outputs where every baseline stays below {BOUND}"
    return Row(what, "all label outputs", below, len(OUTPUTS), "outputs", below / len(OUTPUTS), ENOUGH, below >= ENOUGH)


def main() -> None:
    """Measure every label output and print the rows."""
    parser = argparse.ArgumentParser(description="Simple baselines on the built-in label tasks.")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("outputs", nargs="*", metavar="OUTPUT", help=f"of {', '.join(OUTPUTS)}; default: all")
    arguments = parser.parse_args()
    rows = [row for name in arguments.outputs or OUTPUTS for row in measure(name)]
    if not arguments.outputs:
        rows.append(_summary(rows))
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(f"{'output':24}{'':48}{'score':>8}{'majority':>10}{'bound':>7}  holds")
    for row in rows:
        figures = [f"{value:.3f}" if value is not None else "-" for value in (row.ours, row.peer)]
        print(
            f"{row.case:24}{row.what:48}{figures[0]:>8}{figures[1]:>10}{row.bound:>7}  {'yes' if row.holds else 'NO'}"
        )


if __name__ == "__main__":
    main()
