"""Label stores for tests: cases of a toy task, and raters who vote as they are told."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preceptor.preferences import case_fields, item_id
from preceptor.preferences.labelling import Answer, Item, Store, Vote
from preceptor.tasks import Example, Task


def make_task(parser: str = "label", labels: Sequence[str] = ("1", "2", "3"), name: str = "toy") -> Task:
    answer: dict[str, Any] = {"kind": "text"} if parser == "text" else {"kind": "label", "parser": parser}
    answer |= {"labels": dict.fromkeys(labels, "a level")} if parser != "text" else {}
    return Task.model_validate(
        {
            "name": name,
            "title": "Toy",
            "question": "Which level?",
            "source": "none",
            "fields": {"note": "a note", "age": "years"},
            "instruction": "Answer.",
            "prompt": "{note} {age}",
            "answer": {"max_new_tokens": 6, **answer},
            "metric": "rouge_l" if parser == "text" else "accuracy",
        }
    )


def make_examples(count: int, target: str = "1") -> list[Example]:
    return [
        Example(f"c{n}", f"P{n // 2}", {"note": f'text "{n}",\nline 2', "age": str(40 + n)}, target)
        for n in range(count)
    ]


def pair_item(task: Task, example: Example, a: str = "1", b: str = "2", **changes: Any) -> Item:
    answers = (Answer(a, "sft seed 0"), Answer(b, "base"))
    settings = {"kind": "pair", "answers": answers} | changes
    case = case_fields(task, example)
    return Item(
        item_id(task, example), settings.pop("kind"), example.id, example.group, case, task.question, **settings
    )


def gold_item(task: Task, example: Example) -> Item:
    return pair_item(task, example, kind="gold", answers=(), labels=task.labels)


def voted(path: Path, items: Sequence[Item], said: Mapping[str, Sequence[Any]], **settings: Any) -> Path:
    """A store in which each rater said of each item what `said` holds in the items' order; None: nothing.

    What is said is a choice, or the settings of a vote. A rater called `lead` is one.
    """
    store = Store.create(path, items, title="round", **settings)
    for rater, choices in said.items():
        store.add_rater(rater, "lead" if rater == "lead" else "rater")
        for item, choice in zip(items, choices, strict=True):
            if choice is not None:
                vote = choice if isinstance(choice, dict) else {"choice": choice}
                store.record(Vote(**{"item": item.id, "rater": rater} | vote))
    store.close()
    return path
