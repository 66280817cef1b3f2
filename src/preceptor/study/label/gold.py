"""Cases for raters to label themselves, without any model's answer."""

import random
from pathlib import Path

from preceptor.data import DataSpec, read_examples
from preceptor.errors import InputError, Problem
from preceptor.preferences import make_item
from preceptor.preferences.labelling import Item
from preceptor.tasks import load_task


def gold_items(data: Path, task: str, *, group: str, cases: int | None = None, seed: int = 0) -> list[Item]:
    """The cases of a table (`data`) for `task` (name or task file), in a seeded order; at most `cases` of them.

    `group` is the column of the patient, or `each row`. Right answers that stand there already are neither needed nor
    shown. Raises `InputError` with all problems of the table, or when the task has no fields.
    """
    asked = load_task(task)
    if not asked.fields:
        what = "its cases are finished chats, and gold labels are given on cases with fields"
        raise InputError(Problem(f"task {asked.name}", what, "Give the task `fields`."))
    # Reading asks for a column of right answers; any text will do for one here.
    text = asked.answer.model_copy(update={"kind": "text", "parser": "text", "labels": {}, "elements": {}})
    spec = DataSpec(path=str(data.resolve()), group=group, target=next(iter(asked.fields)))
    examples = read_examples(spec, asked.model_copy(update={"answer": text}), Path()).examples
    random.Random(f"{seed} gold").shuffle(examples)
    return [make_item(asked, example, "gold") for example in examples[:cases]]
