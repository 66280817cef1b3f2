"""The study file's class: `Study` with a block for each stage kind, way of answering and outcome with settings."""

from functools import cache
from typing import Any

from pydantic import Field, create_model

from preceptor.study.spec.found import answer_names, find_settings, kind_names, outcome_names
from preceptor.study.spec.study import Study, TaskEntry


@cache
def study_class() -> type[Study]:
    """`Study`, and in it `TaskEntry`, with the blocks of the files there are; made when the first study is read."""
    kinds = {name: _block(name) for name in kind_names() if find_settings(name)}
    answers = {name: _block(name) for name in answer_names() if find_settings(name)}
    task: Any = create_model("TaskEntry", __base__=TaskEntry, __doc__=TaskEntry.__doc__, **kinds)
    tasks: Any = (tuple[task, ...], Field(min_length=1))
    outcomes = {name: _block(name) for name in outcome_names() if find_settings(name)}
    blocks: Any = kinds | answers | outcomes
    return create_model("Study", __base__=Study, __doc__=Study.__doc__, tasks=tasks, **blocks)


def _block(name: str) -> Any:
    settings: Any = find_settings(name)
    return (settings | None, Field(default=None, exclude_if=lambda block: block is None))
