"""A store that is deleted, moved or cannot grow while its page is open: nothing is acknowledged that is not kept."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labelling_rounds import Round, make_pair
from preceptor.preferences.labelling import NotSavedError, Store, Vote


@pytest.fixture
def round_(make_round) -> Round:
    return make_round([make_pair(n) for n in range(3)])


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def replace(path: Path) -> None:
    shutil.rmtree(path.parent)
    Store.create(path, [make_pair(n) for n in range(3)], title="Round 1").close()


@pytest.mark.parametrize(
    "harm",
    [
        Path.unlink,
        lambda path: wal_of(path).unlink(),
        lambda path: path.rename(path.with_suffix(".old")),
        lambda path: shutil.rmtree(path.parent),
        replace,
    ],
    ids=["deleted", "log deleted", "moved", "folder deleted", "replaced"],
)
def test_a_vote_on_a_store_that_is_lost_is_not_acknowledged(round_: Round, harm: Callable[[Path], object]) -> None:
    anna, lead = round_.person("anna"), round_.person("lead", "lead")
    assert anna.vote("left").status_code == 200
    fields = anna.fields()
    harm(round_.store.path)
    for path, more in (("/vote", {"choice": "left"}), ("/undo", {}), ("/again", {})):
        answer = anna.client.post(path, data={**fields, **more})
        assert answer.status_code == 503, path
        assert "was deleted, moved or replaced" in answer.text
    assert anna.client.get("/").status_code == 503, "no case is shown whose vote could not be kept"
    assert lead.client.post("/lead/rater", data={"name": "ben"}).status_code == 503
    assert lead.client.get("/lead/export").status_code == 200, "what was given can still be fetched"


def test_a_store_that_comes_back_takes_the_vote_that_is_sent_again(round_: Round) -> None:
    anna, path = round_.person("anna"), round_.store.path
    fields = {**anna.fields(), "choice": "left"}
    path.rename(path.with_suffix(".old"))
    assert anna.client.post("/vote", data=fields).status_code == 503
    path.with_suffix(".old").rename(path)
    assert anna.client.post("/vote", data=fields).status_code == 200
    assert len(Store.open(path).votes(effective=False)) == 1


def test_a_full_disk_is_said_and_the_vote_is_stored_once_when_there_is_room(round_: Round, caplog) -> None:
    anna, db = round_.person("anna"), round_.store._db
    fields = {**anna.fields(), "choice": "left", "note": "confidential " * 300}
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite then says what it says of a full disk
    answer = anna.client.post("/vote", data=fields)
    assert answer.status_code == 503
    assert "the disk is full" in answer.text
    assert round_.store.votes(effective=False) == []
    assert "confidential" not in caplog.text
    assert "the disk is full" in caplog.text
    db.execute("PRAGMA max_page_count = 100000")
    assert anna.client.post("/vote", data=fields).status_code == 200
    assert len(Store.open(round_.store.path).votes(effective=False)) == 1


def test_who_writes_to_a_store_themselves_is_told_too(round_: Round) -> None:
    round_.store.add_rater("anna")
    round_.store.path.unlink()
    with pytest.raises(NotSavedError, match="deleted, moved or replaced"):
        round_.store.record(Vote("toy/0", "anna", "a"))
