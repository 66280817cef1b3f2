"""`preceptor label`: the round it starts and goes on with, the links it shows, and what it refuses."""

import csv
import json
import re
import stat
from contextlib import closing
from pathlib import Path

import pytest

from command_line import CommandLine
from labelling_rounds import make_pair
from preceptor.preferences import labelling
from preceptor.preferences.labelling import Store, Vote
from tiny_study import write_study, write_table

GOLD = ("label", "--gold", "cases.csv", "--task", "triage_urgency", "--group", "patient", "--port", 0)
STORE = Path("cases.labels.sqlite")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table to label, in which the server ends at once."""
    rows = [["patient", "note"], *([str(n), f"Cough for {n} days"] for n in range(5))]
    with (tmp_path / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(labelling, "serve", lambda store, door: door.socket.close())
    return tmp_path


def tokens(shown: str) -> dict[str, str]:
    return dict(re.findall(r"([\w-]+): http://127\.0\.0\.1:\d+/r/(\S+)", shown))


def test_a_new_round_has_a_link_for_the_lead_and_each_rater(preceptor: CommandLine, folder: Path) -> None:
    rights = folder.stat().st_mode
    shown = preceptor.run(*GOLD, "--cases", 3).shown
    assert "A new round: 3 cases, each for 2 raters" in shown
    store = Store.open(STORE)
    given = tokens(shown)
    assert {name: store.authenticate(token).role for name, token in given.items()} == {
        "rater-1": "rater", "rater-2": "rater", "lead": "lead",
    }  # fmt: skip
    assert stat.S_IMODE(STORE.stat().st_mode) == 0o600
    assert folder.stat().st_mode == rights
    assert store.items()[0].labels == ("1", "2", "3", "4", "5")


def test_a_round_goes_on_and_links_hold_until_a_new_one_is_made(preceptor: CommandLine, folder: Path) -> None:
    first = tokens(preceptor.run(*GOLD, "--rater", "anna", "--rater", "ben").shown)
    assert sorted(first) == ["anna", "ben", "lead"]
    store = Store.open(STORE)
    store.record(Vote(store.items()[0].id, "anna", "1"))
    again = preceptor.run(*GOLD, "--rater", "anna").shown
    assert "The round goes on" in again
    assert "Links from before still hold: ben, lead." in again
    assert store.authenticate(first["anna"]) is None
    assert store.authenticate(tokens(again)["anna"]).name == "anna"
    assert store.authenticate(first["ben"]).name == "ben"
    assert len(store.votes()) == 1


def test_what_there_is_can_be_written_without_a_page(preceptor: CommandLine, folder: Path) -> None:
    preceptor.run(*GOLD, "--rater", "anna", "--rater", "ben")
    store = Store.open(STORE)
    for name, label in (("anna", "1"), ("ben", "1")):
        store.record(Vote(store.items()[0].id, name, label))
    assert "1 gold labels; 4 cases are still open" in preceptor.run(*GOLD, "--export", "gold.csv").shown
    assert "Level: 1" in Path("gold.csv").read_text()
    preceptor.run(*GOLD, "--export", "round.jsonl")
    assert json.loads(Path("round.jsonl").read_text().splitlines()[0])["title"] == "cases"
    assert stat.S_IMODE(Path("round.jsonl").stat().st_mode) == 0o600
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for file in ("gold.csv", "cases.csv", STORE, "urgency.task.yaml"):
        refused = preceptor.run(*GOLD, "--export", file)
        assert refused.code == 2, file
        assert "--export" in refused.errors
    assert all(path.read_bytes() == written for path, written in before.items())


def test_the_votes_of_a_study_are_a_table_or_the_whole_round(
    preceptor: CommandLine, folder: Path, tiny_model_folder: Path
) -> None:
    study = write_study(folder / "own", tiny_model_folder)
    items = [make_pair(n, "score", ("quality",)) for n in range(2)]
    with closing(Store.create(Path("runs/tiny/labels/pairs.sqlite"), items, title="tiny")) as store:
        store.add_rater("anna")
        points = {"quality": {"a": 2, "b": 5}}
        store.record(Vote("toy/0", "anna", "b", "ba", points, note="=SUM(A1)\nsecond line", edited='Ideal, "quoted"'))
        store.record(Vote("toy/1", "anna", None))
        store.undo("anna")
    ended = preceptor.run("label", study, "--export", "votes.csv")
    assert ended.code == 0, ended.errors
    assert "2 votes." in ended.shown
    assert stat.S_IMODE(Path("votes.csv").stat().st_mode) == 0o600
    with Path("votes.csv").open(encoding="utf-8-sig", newline="") as file:
        first, skipped = csv.DictReader(file)
    assert first | {"time": ""} == {
        "item": "toy/0", "case": "c0", "patient": "P0", "rater": "anna", "role": "rater", "repeat": "0",
        "choice": "b", "answer_a": "sft seed 0", "answer_b": "base", "order": "ba", "quality_a": "2", "quality_b": "5",
        "note": "'=SUM(A1)\nsecond line", "edited": 'Ideal, "quoted"', "seconds": "0.0", "time": "", "undone": "0",
    }  # fmt: skip
    assert (skipped["choice"], skipped["quality_a"], skipped["undone"]) == ("", "", "1")
    assert preceptor.run("label", study, "--export", "round.jsonl").code == 0
    assert json.loads(Path("round.jsonl").read_text().splitlines()[0])["row"] == "round"
    assert preceptor.run("label", study, "--export", "votes.xlsx").code == 2
    beside = [path.name for path in Path("runs/tiny/labels").iterdir()]
    assert beside == ["pairs.sqlite"], "a store that was closed has no log beside it"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "192.0.2.7"], "--self-signed"),
        (["--certificate", "c.pem"], "do not go together"),
        (["--certificate", "c.pem", "--key", "k.pem"], "no such file"),
        (["--self-signed", "--certificate", "c.pem", "--key", "k.pem"], "do not go together"),
        (["--held-out"], "no answers to compare"),
        (["--rater", "a\nb"], "cannot be a rater's name"),
        (["--export", "x.jsonl"], "no label store here"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_served(
    preceptor: CommandLine, folder: Path, words: list[str], said: str
) -> None:
    ended = preceptor.run(*GOLD, *words)
    assert ended.code == 2
    assert said in ended.errors


def test_options_of_tables_and_of_studies_are_told_apart(preceptor: CommandLine, folder: Path) -> None:
    assert "--task, such as" in preceptor.run("label", "--gold", "cases.csv").errors
    assert "only goes with --gold" in preceptor.run("label", "quickstart", "--task", "triage_urgency").errors


@pytest.mark.slow
def test_a_study_that_was_never_run_gives_pairs_to_judge(
    preceptor: CommandLine, folder: Path, tiny_model_folder: Path
) -> None:
    write_table(folder / "cases.csv", patients=60, wrong_every=8)
    sft = {"epochs": 10, "batch_size": 8, "learning_rate": 0.003, "patience": 9, "label_token_weight": None}
    changes = {"adapter": "none", "sft": sft}
    study = write_study(folder, tiny_model_folder, **changes)
    ended = preceptor.run("label", study, "--cases", 3, "--port", 0)
    assert ended.code == 0, ended.errors
    store = Store.open(Path("runs/tiny/labels/pairs.sqlite"))
    assert 1 <= len(store.items()) <= 3
    assert store.items()[0].kind == "pair"
    assert "Store: runs/tiny/labels/pairs.sqlite" in ended.shown
