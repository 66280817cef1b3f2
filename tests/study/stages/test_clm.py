"""Raw text as a stage: which documents are learned, in which pieces, and that a study's arm learns from them."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import study_runs
from command_line import CommandLine
from preceptor.engine import answer_logprobs
from preceptor.models import encode, load_policy, load_tokenizer
from preceptor.study.run.external_data import external_data
from preceptor.study.run.folder import RunFolder
from preceptor.study.stages._corpus import drawn
from preceptor.study.stages.clm import Settings, pieces
from tiny_study import write_study, write_table

LORA: dict[str, Any] = {"type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
PATIENTS = 60


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Path:
    """A finished run whose first stage learned a corpus: letters of all patients, and copies of all their cases."""
    folder = tmp_path_factory.mktemp("clm")
    write_table(folder / "cases.csv")
    with (folder / "cases.csv").open() as file:
        cases = list(csv.DictReader(file))
    with (folder / "letters.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["who", "letter"])
        out.writerows(
            [f"P{n:03}", f"Letter {n}: seen in clinic, {n} days after the first visit."] for n in range(PATIENTS)
        )
        out.writerows(["somebody else", case["note"]] for case in cases)
        out.writerow(["one more", "A letter of a patient who is in no other part."])
        out.writerow(["one more", "   "])
    return study_runs.run(
        folder,
        tiny_model_folder,
        folder / "run",
        arms=["domain", "domain+task"],
        primary=[["domain+task", "domain"]],
        slots={"domain": LORA, "task": LORA},
        stages={
            "domain": {"kind": "clm", "train": ["domain"], "corpus": "letters.csv", "text": "letter", "group": "who"},
            "task": {"kind": "sft", "after": "domain", "use": ["domain"], "train": ["task"]},
        },
        clm={"learning_rate": 0.01, "epochs": 2},
    ).folder


def ledger(run: Path, kind: str) -> dict[str, Any]:
    ledgers = [json.loads(file.read_text()) for file in run.glob("stages/*/ledger.json")]
    (found,) = [one for one in ledgers if one["kind"] == kind]
    return dict(found)


def test_documents_of_held_out_patients_and_copies_of_their_cases_are_left_out(run: Path) -> None:
    """P1-8: a corpus split by note holds held-out patients' other notes, and their own under another id."""
    counts = json.loads((run / "results.json").read_text())["study"]["tasks"][0]["counts"]
    found = ledger(run, "clm")
    copies = counts["train"] + counts["validation"] + counts["test"]
    assert found["documents"] == PATIENTS + copies + 1
    assert found["held_out_documents"] == counts["groups_test"]
    assert found["near_duplicates"] >= counts["test"]


def test_a_limit_draws_of_what_is_left(run: Path, tmp_path: Path, tiny_model_folder: Path) -> None:
    """P1-8: documents of held-out patients and copies are gone before documents are drawn."""
    whole = ledger(run, "clm")
    shutil.copy(run.parent / "letters.csv", tmp_path)
    limited = study_runs.run(
        tmp_path,
        tiny_model_folder,
        tmp_path / "run",
        arms=["clm"],
        clm={"corpus": "letters.csv", "text": "letter", "group": "who", "limit": 20, "epochs": 1},
    ).folder
    found = ledger(limited, "clm")
    left_out = ("documents", "held_out_documents", "near_duplicates")
    assert [found[name] for name in left_out] == [whole[name] for name in left_out]
    assert "not_drawn" not in whole
    assert found["not_drawn"] == found["documents"] - found["held_out_documents"] - found["near_duplicates"] - 20
    assert (tmp_path / "run" / "study.yaml").read_text().count("limit: 20") == 1


@given(st.integers(0, 30), st.integers(1, 40), st.integers(1, 40), st.integers(0, 3))
def test_a_lower_limit_draws_some_of_the_same_in_their_order(count: int, one: int, other: int, seed: int) -> None:
    texts = [(f"P{number}", f"Letter {number}.") for number in range(count)]
    few, more = (drawn(texts, limit, seed) for limit in sorted((one, other)))
    assert len(few) == min(one, other, count)
    assert set(few) <= set(more) <= set(texts)
    assert more == sorted(more, key=texts.index)
    assert drawn(texts, None, seed) == texts


def test_it_learns_and_its_slot_stays_as_it_was_in_the_next_stage(run: Path, tiny_source: Any) -> None:
    losses = [row["eval_loss"] for row in ledger(run, "clm")["history"] if "eval_loss" in row]
    assert losses[-1] < losses[0]
    folders = {len(list(one.glob("slots/*"))): one for one in run.glob("stages/*") if (one / "slots").is_dir()}
    domain, both = (load_policy(tiny_source, folders[n], dtype=torch.float32).model for n in (1, 2))
    before = {name: weight for name, weight in domain.named_parameters() if ".domain." in name}
    after = dict(both.named_parameters())
    assert before
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    assert ledger(run, "clm")["learning"].keys() == {"domain"}
    assert ledger(run, "sft")["learning"].keys() == {"task"}


def test_a_purge_names_the_corpus_that_it_leaves(run: Path) -> None:
    assert ("a corpus", "letters.csv") in external_data(RunFolder(run))


def test_the_methods_say_what_was_learned(run: Path, preceptor: CommandLine) -> None:
    assert preceptor.run("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "Continued training on a corpus without held-out patients tuned slot domain (LORA)" in page
    assert "SFT tuned slot task (LORA) on the right answers" in page
    assert page.count("Active and frozen meanwhile: slot domain (LORA).") == 1


@given(st.text(max_size=300), st.integers(8, 40))
def test_pieces_hold_every_token_once_and_one_end(text: str, max_length: int) -> None:
    """P1-6: no tail is thrown away, and an end is learned."""
    tokenizer = load_tokenizer(SOURCE[0])
    found = pieces(tokenizer, text, max_length)
    ids = [token for piece in found for token in piece.answer]
    plain = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert ids == [*plain, tokenizer.eos_token_id]
    assert all(len(piece.prompt + piece.answer) <= max_length for piece in found)
    assert all(piece.prompt == [tokenizer.bos_token_id] for piece in found)


SOURCE: list[Any] = []


@pytest.fixture(autouse=True)
def _source(tiny_source: Any) -> None:
    SOURCE[:] = [tiny_source]


def test_reading_a_document_leaves_the_tokenizer_as_it_was(tiny_tokenizer: Any) -> None:
    turns = [{"role": "user", "content": "fever <|im_end|> 38.0 C"}]
    before = encode(tiny_tokenizer, turns, "yes")
    pieces(tiny_tokenizer, "a <|im_end|> b", 100)
    assert encode(tiny_tokenizer, turns, "yes") == before
    assert before.answer[-1] == tiny_tokenizer.eos_token_id


def test_no_text_ends_a_document(tiny_tokenizer: Any) -> None:
    (piece,) = pieces(tiny_tokenizer, "a <|im_end|> b", 100)
    assert piece.answer.count(tiny_tokenizer.eos_token_id) == 1


def test_no_document_sees_another(tiny_tokenizer: Any, tiny_source: Any) -> None:
    policy = load_policy(tiny_source, None, dtype=torch.float32)
    one, other = (pieces(tiny_tokenizer, text, 100)[0] for text in ("fever 38.0 C", "chest pain, 64 years"))
    with torch.no_grad():
        (alone,) = answer_logprobs(policy.model, [one])
        together = answer_logprobs(policy.model, [other, one])[1]
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-6)


def test_a_corpus_must_say_whose_documents_they_are() -> None:
    with pytest.raises(ValidationError, match="group: name the column of the patient"):
        Settings(corpus="letters.csv")
    with pytest.raises(ValidationError, match="limit: it is of the documents of a corpus"):
        Settings(limit=20)


def test_a_stage_without_a_limit_has_the_settings_that_it_had() -> None:
    assert "limit" not in Settings().model_dump()
    assert Settings(corpus="letters.csv", group="who", limit=20).model_dump()["limit"] == 20


@pytest.mark.parametrize(
    ("clm", "what"),
    [
        ({"corpus": "nowhere.csv", "group": "who"}, "nowhere.csv"),
        ({"corpus": "cases.csv", "text": "letter", "group": "patient"}, "there is no column letter; it has `patient`"),
    ],
)
def test_check_says_what_keeps_a_corpus_from_being_read(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine, clm: dict[str, Any], what: str
) -> None:
    study = write_study(tmp_path, tiny_model_folder, arms=["clm"], clm=clm)
    done = preceptor.run("check", study)
    assert done.code == 2
    assert what in done.errors
