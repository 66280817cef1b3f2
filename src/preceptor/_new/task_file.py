"""The task file of a new study: what is asked, how the answer is read and judged."""

import re
from collections.abc import Sequence

from preceptor._new.text import by_spelling, editor_line, scalar, words
from preceptor.data import SetColumn, Table, looks_like_labels


def task_yaml(table: Table, name: str, fields: dict[str, str], label: str, sets: SetColumn | None) -> str:
    """The text of the file; `fields`: field -> column; `label`: the column of right answers; `sets`: what it holds, if
    that is sets of labels.
    """
    longest = max(fields, key=lambda field: sum(map(len, table.column(fields[field]))))
    instruction, shape = _asked(table, label, sets)
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


def _asked(table: Table, label: str, sets: SetColumn | None) -> tuple[str, list[str]]:
    """The instruction, and the lines on the answer."""
    if sets is not None:
        between = f"`{sets.separator.strip()}` between them"
        none = f", or `{sets.empty}` where there is none" if sets.empty else ""
        which = f"List every {words(label)} of this case that is one of these: {'; '.join(sets.labels)}."
        return f"{which} Answer with these alone, in this order, {between}{none}.", _set_answer(sets)
    labels = list(by_spelling(table.distinct(label)).values())
    if looks_like_labels(table, label):
        only = "Answer with one of these and nothing else: " + "; ".join(labels)
        return f"Give the {words(label)} of this case. {only}", _label_answer(labels)
    return f"Write the {words(label)} for this case. Use only what is stated.", _text_answer(labels)


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


def _set_answer(sets: SetColumn) -> list[str]:
    none = [f"  empty: {scalar(sets.empty)}  # the answer where a case has no label"] if sets.empty else []
    return [
        "answer:",
        "  kind: labels  # the answer is one of the labels or several",
        "  labels:  # label: what it means",
        *(f"    {scalar(label)}: {scalar(f'The case has {label}')}" for label in sets.labels),
        f"  separator: {scalar(sets.separator)}  # between two labels",
        *none,
        f"  max_new_tokens: {min(1024, max(8, sets.longest))}  # room for the answer",
        "metric: jaccard  # of the labels that a case has or was given, the share that it has and was given",
        "also: [sample_f1, subset_accuracy]  # shown beside it",
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
