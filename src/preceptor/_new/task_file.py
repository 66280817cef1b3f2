"""The task file of a new study: what is asked, how the answer is read and judged."""

import re
from collections.abc import Sequence

from preceptor._new.text import by_spelling, editor_line, scalar, words
from preceptor.data import Table, looks_like_labels


def task_yaml(table: Table, name: str, fields: dict[str, str], label: str) -> str:
    """The text of the file; `fields`: field -> column; `label`: the column of right answers."""
    labelled = looks_like_labels(table, label)
    labels = list(by_spelling(table.distinct(label)).values())
    longest = max(fields, key=lambda field: sum(map(len, table.column(fields[field]))))
    shape = _label_answer(labels) if labelled else _text_answer(labels)
    instruction = (
        f"Give the {words(label)} of this case. Answer with one of these and nothing else: " + "; ".join(labels)
        if labelled
        else f"Write the {words(label)} for this case. Use only what is stated."
    )
    lines = [
        editor_line("task"),
        "# A task: what is put to the model, and how its answer is read and judged. Change the words freely.",
        f"name: {scalar(name)}",
        f"title: {scalar(words(name).capitalize())}  # stands over tables and figures",
        f"question: {scalar(f'What is the {words(label)} of this case?')}  # for the people who read the report",
        f"source: {scalar(f'Column {label} of {table.path.name}')}  # where the right answers come from",
        "fields:  # what a case has; the study file says which column each is",
        *(f"  {scalar(field)}: {scalar(f'The column {column}')}" for field, column in fields.items()),
        "instruction:  # what the model is told before every case",
        f"  {scalar(instruction)}",
        "prompt: |-  # one case; {field} is replaced by its text",
        *_prompt_lines(fields),
        f"cut: {scalar(longest)}  # the one field that may be shortened, in its middle, when a case is too long",
        *shape,
    ]
    return "\n".join(lines) + "\n"


def _prompt_lines(fields: dict[str, str]) -> list[str]:
    if len(fields) == 1:
        return [f"  {{{field}}}" for field in fields]
    return [f"  {' '.join(re.sub('[{}]', '', column).split())}: {{{field}}}" for field, column in fields.items()]


def _label_answer(labels: Sequence[str]) -> list[str]:
    return [
        "answer:",
        "  kind: label  # the answer is one of the labels",
        "  labels:  # label: what it means",
        *(f"    {scalar(label)}: {scalar(f'The case is {label}')}" for label in labels),
        "  parser: label  # or final_answer: reasoning first, then a line `Answer: <label>`",
        f"  max_new_tokens: {max(8, max(map(len, labels)))}  # room for the answer",
        "metric: macro_f1  # or accuracy",
        "also: [accuracy]  # shown beside it",
    ]


def _text_answer(values: Sequence[str]) -> list[str]:
    longest = max(len(value) for value in values)
    return [
        "answer:",
        "  kind: text  # the answer is free text",
        "  parser: text",
        f"  max_new_tokens: {min(1024, max(64, longest // 3))}  # room for the answer",
        "metric: rouge_l  # overlap with the right answer, 0 to 1",
    ]
