"""A round of labelling in a folder of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from labelling_rounds import HOST, Round
from preceptor.preferences.labelling import Item, Store
from preceptor.preferences.labelling._app import create_app


@pytest.fixture
def make_round(tmp_path: Path) -> Callable[..., Round]:
    """`make_round(items, **settings of the store)`."""

    def make(items: list[Item], secure: bool = False, **settings) -> Round:
        settings = {"title": "Round 1", "repeat_share": 0} | settings
        store = Store.create(tmp_path / "labels" / "round.sqlite", items, **settings)
        return Round(store, create_app(store, hosts=[HOST, "localhost:8765"], secure=secure))

    return make
