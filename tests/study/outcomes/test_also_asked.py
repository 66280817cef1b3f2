"""Arms asked for more than their task, on a tiny model in float32: figures, files, page, and what is refused."""

import csv
import io
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from html_page import Page
from preceptor.errors import InputError
from preceptor.models import ModelSource, load_tokenizer, start_policy
from preceptor.report import write_report
from preceptor.study import also_asked, load_study, run_study
from preceptor.study.asked_items import rows_of
from preceptor.study.results.schema import Results
from preceptor.study.run.external_data import external_data
from preceptor.study.run.folder import RunFolder
from preceptor.study.stages.clm import pieces
from study_runs import Run, run
from tiny_study import write_study

PAIRS = [("He has a cough.", "She has a cough."), ("His father came along.", "Her mother came along.")]
CROWS = [("Men drink too much.", "Women drink too much.", "gender"), ("The old forget.", "The young forget.", "age")]
STEREO = [
    {
        "target": "nurse",
        "data": {
            "stereotype": {"sentence": "The nurse was caring."},
            "anti-stereotype": {"sentence": "The nurse was rough."},
            "unrelated": {"sentence": "The nurse was purple fish."},
        },
    },
    {
        "target": "nurse",
        "sentences": [
            {"gold_label": "stereotype", "sentence": "A nurse listens."},
            {"gold_label": "anti-stereotype", "sentence": "A nurse shouts."},
            {"gold_label": "unrelated", "sentence": "A nurse evaporates."},
        ],
    },
    {
        "target": "surgeon",
        "sentences": [
            {"gold_label": "unrelated", "sentence": "Surgeons are tables."},
            {"gold_label": "anti-stereotype", "sentence": "Surgeons are shy."},
            {"gold_label": "stereotype", "sentence": "Surgeons are bold."},
        ],
    },
]
ALSO: dict[str, Any] = {
    "also": ["perplexity", "gap", "stereotypes"],
    "gap": {"pairs": "pairs.csv"},
    "stereotypes": {"crows_pairs": "crows.csv", "stereoset": "stereo.json"},
}
ARMS = ["base", "sft", "tfidf"]


def write_sets(folder: Path) -> None:
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "counterfactual"), *PAIRS])
    with (folder / "crows.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("sent_more", "sent_less", "bias_type"), *CROWS])
    (folder / "stereo.json").write_text(json.dumps(STEREO))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("also")
    write_sets(folder)
    return run(folder, tiny_model_folder, folder / "run", arms=ARMS, seeds=[0, 1], **ALSO)


def value(asked: Run, figure: str, arm: str = "base", seed: int = 0) -> float:
    (one,) = (
        one
        for one in asked.results["outcome_values"]
        if (one["figure"], one["arm"], one["seed"]) == (figure, arm, seed)
    )
    return float(one["value"])


def chain_rule(source: ModelSource, ids: list[int]) -> list[float]:
    """Log-probability of each token behind the first, one forward pass a token."""
    model = start_policy(source, None, {}, ["backbone"], seed=0, dtype=torch.float32).model.eval()
    with torch.no_grad():
        return [
            float(model(torch.tensor([ids[:end]])).logits[0, -1].log_softmax(-1)[ids[end]])
            for end in range(1, len(ids))
        ]


def test_p1_7_and_p2_5_perplexity_is_that_of_every_token_by_the_chain_rule(
    asked: Run, tiny_source: ModelSource
) -> None:
    rows = [json.loads(line) for line in next(asked.folder.glob("cells/*/*/base/seed-0/predictions.jsonl")).open()]
    held_out = {row["id"] for row in rows}
    assert len(held_out) == len(rows)
    tokenizer = load_tokenizer(tiny_source)
    (file,) = asked.folder.glob("cells/*/*/base/seed-0/also/perplexity.json")
    kept = json.loads(file.read_text())["rows"]
    nats, tokens = sum(row["nats0"] for row in kept), sum(row["tokens0"] for row in kept)
    assert value(asked, "perplexity") == pytest.approx(math.exp(nats / tokens), rel=1e-9)
    with (asked.folder.parent / "cases.csv").open() as table:
        texts = [case["note"] for number, case in enumerate(csv.DictReader(table), 2) if str(number) in held_out]
    plain = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    assert [row["tokens0"] for row in kept] == plain, "P1-6: every token once, and no end"
    (one,) = pieces(tokenizer, PAIRS[0][0], 256)
    found = chain_rule(tiny_source, [*one.prompt, *one.answer])
    (file,) = asked.folder.glob("cells/*/*/base/seed-0/also/gap.json")
    row = json.loads(file.read_text())["rows"][0]
    assert row["tokens0"] == len(found) - 1, "the token that ends a text is not asked of a sentence"
    assert row["nats0"] == pytest.approx(-sum(found[:-1]), abs=1e-4)


def test_the_gap_is_between_a_text_and_its_counterfactual(asked: Run) -> None:
    (file,) = asked.folder.glob("cells/*/*/sft/seed-1/also/gap.json")
    rows = json.loads(file.read_text())["rows"]
    gaps = [abs(r["nats0"] - r["nats1"]) * 2 / (r["tokens0"] + r["tokens1"]) for r in rows]
    assert value(asked, "gap", "sft", 1) == pytest.approx(sum(gaps) / len(gaps), rel=1e-9)


def test_p2_1_6_and_7_shares_are_kept_as_they_are(asked: Run) -> None:
    (file,) = asked.folder.glob("cells/*/*/base/seed-0/also/stereotypes.json")
    rows = json.loads(file.read_text())["rows"]
    crows, stereo = rows[:2], rows[2:]
    assert len(stereo) == len(STEREO), "every row is scored"
    lost = [[r[f"nats{n}"] / r[f"tokens{n}"] for n in range(2)] for r in crows]
    share = sum(more < less for more, less in lost) / 2
    assert value(asked, "crows_pairs") == share
    assert value(asked, "crows_pairs_distance") == abs(share - 0.5)
    assert value(asked, "crows_pairs_sum") == sum(r["nats0"] < r["nats1"] for r in crows) / 2
    assert value(asked, "crows_pairs_ties") == 0
    assert value(asked, "crows_pairs_gender") == (lost[0][0] < lost[0][1])
    terms = [[stereo[0], stereo[1]], [stereo[2]]]

    def mean(rate: Any) -> float:
        return (
            sum(sum(rate(*(r[f"nats{n}"] / r[f"tokens{n}"] for n in range(3))) for r in t) / len(t) for t in terms) / 2
        )

    lms, ss = mean(lambda s, a, u: ((s < u) + (a < u)) / 2), mean(lambda s, a, u: s < a)
    assert value(asked, "stereoset_lms") == pytest.approx(lms)
    assert value(asked, "stereoset_ss") == pytest.approx(ss)
    assert value(asked, "stereoset_icat") == pytest.approx(lms * min(ss, 1 - ss) / 0.5)


def test_arms_are_compared_on_the_same_items(asked: Run) -> None:
    found = {(one["figure"], one["a"], one["b"]): one for one in asked.results["outcome_contrasts"]}
    one = found["perplexity", "sft", "base"]
    means = [sum(value(asked, "perplexity", arm, seed) for seed in (0, 1)) / 2 for arm in ("sft", "base")]
    assert one["delta"] == pytest.approx(means[0] - means[1])
    assert one["p_adjusted"] >= one["p"] > 0
    assert ("crows_pairs_age", "sft", "base") not in found
    assert all("tfidf" not in key for key in found)


def test_what_was_asked_is_found_again_and_nothing_of_it_is_text(asked: Run) -> None:
    files = sorted(asked.folder.glob("cells/*/*/*/seed-*/also/*.json"))
    assert len(files) == 3 * 2 + 3, "the untouched model answers alike with every seed"
    before = {file: file.stat().st_mtime_ns for file in files}
    again = asked.again(arms=ARMS, seeds=[0, 1], **ALSO)
    assert {file: file.stat().st_mtime_ns for file in files} == before
    assert again.results["outcome_values"] == asked.results["outcome_values"]
    for file in files:
        assert "cough" not in file.read_text()
        assert "P0" not in file.read_text()


def test_the_page_shows_figures_warnings_and_who_was_not_asked(asked: Run) -> None:
    text = Page(write_report(asked.folder).read_text()).text
    assert "What the arms were asked beside their task" in text
    assert "may be no good sign of bias in a language model" in text, "P2-11"
    assert "StereoSet ICAT" in text
    assert "Not asked: TF-IDF (no model of the study answers)" in text
    (values, seeds) = (Results.model_validate_json((asked.folder / "results.json").read_text()).outcome_values, {0, 1})
    assert {one.seed for one in values} == seeds


def test_a_study_without_it_has_no_such_section(tmp_path: Path, tiny_model_folder: Path) -> None:
    one = run(tmp_path, tiny_model_folder, tmp_path / "run", arms=["base", "tfidf"])
    assert one.results["outcomes"] == []
    assert "beside their task" not in Page(write_report(one.folder).read_text()).text
    assert "\nalso:" not in (one.folder / "study.yaml").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"also": ["poetry"]}, "there is no outcome poetry; choose from: gap, perplexity, stereotypes"),
        ({"also": ["gap"], "gap": {"table": "pairs.csv"}}, "there is no such setting"),
        ({"also": ["gap"], "gap": {"pairs": "none.csv"}}, "none.csv"),
        ({"also": ["gap"], "gap": {"pairs": "cases.csv"}}, "there is no column text, counterfactual"),
        ({"also": ["stereotypes"], "stereotypes": {}}, "name the file of a set: crows_pairs, stereoset"),
        ({"also": ["stereotypes"], "stereotypes": {"crows_pairs": "cases.csv"}}, "it is not CrowS-Pairs"),
        ({"also": ["stereotypes"], "stereotypes": {"stereoset": "cases.csv"}}, "it is not StereoSet"),
        (
            {"also": ["perplexity"], "perplexity": {"corpus": "cases.csv", "group": "patient"}},
            "there is no column text",
        ),
        ({"also": ["perplexity", "perplexity"]}, "name each only once"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_trained(
    tmp_path: Path, tiny_model_folder: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        run(tmp_path, tiny_model_folder, tmp_path / "run", arms=["base"], **changes)
    assert said in str(caught.value)
    assert not [*tmp_path.glob("run/stages/*")]


def test_without_a_table_pairs_are_sentences_of_held_out_cases(tmp_path: Path, tiny_model_folder: Path) -> None:
    entry = {"task": "triage_provider", "data": {"cases": 40}, "limit": {"train": 10, "validation": 5, "test": 6}}
    one = run(
        tmp_path, tiny_model_folder, tmp_path / "run", arms=["base"], also=["gap"], tasks=[entry], max_length=1024
    )
    (found,) = one.results["outcome_values"]
    assert found["groups"] <= 6
    assert found["n"] >= found["groups"]


def test_an_arm_that_cannot_be_asked_fails_alone(tmp_path: Path, tiny_model_folder: Path) -> None:
    """No sentence of these cases names a sex: what was answered to the task and to other outcomes is not lost."""
    one = run(tmp_path, tiny_model_folder, tmp_path / "run", arms=["base", "tfidf"], also=["gap", "perplexity"])
    gap, perplexity = one.results["outcomes"]
    (failed,) = gap["failed"]
    assert (failed["arm"], failed["stage"]) == ("base", "also gap")
    assert "no sentence of the held-out cases" in failed["reason"]
    assert perplexity["failed"] == one.results["failed"] == []
    assert [cell["arm"] for cell in one.results["cells"]] == ["base", "tfidf"]
    assert {each["outcome"] for each in one.results["outcome_values"]} == {"perplexity"}
    text = Page(write_report(one.folder).read_text()).text
    assert "Base could not be asked on urgency with seed 0: gap: no sentence of the held-out cases" in text


def test_perplexity_of_a_corpus(tmp_path: Path, tiny_model_folder: Path) -> None:
    changes = {"also": ["perplexity"], "perplexity": {"corpus": "cases.csv", "text": "note", "group": "patient"}}
    one = run(tmp_path, tiny_model_folder, tmp_path / "run", arms=["base"], **changes)
    (found,) = one.results["outcome_values"]
    held_out = one.results["study"]["tasks"][0]["counts"]
    assert (found["n"], found["groups"]) == (held_out["test"], held_out["groups_test"]), (
        "P1-8: nobody learned from them"
    )
    low, high = found["ci"]
    assert low < found["value"] < high


def test_texts_of_learned_patients_alone_are_refused(tmp_path: Path, tiny_model_folder: Path) -> None:
    entry = {"task": "urgency.task.yaml", "data": {"path": "cases.csv", "target": "urgency", "group": "patient"}}
    changes = {"also": ["gap"], "gap": {"pairs": "pairs.csv", "group": "patient"}, "tasks": [entry]}
    first = run(tmp_path, tiny_model_folder, tmp_path / "run", arms=["base"])
    split = json.loads((first.folder / "preflight.json").read_text())["urgency"]["split"]
    rows = list(csv.DictReader((tmp_path / "cases.csv").open()))
    of_part = {part: [rows[int(name) - 2]["patient"] for name in names] for part, names in split.items()}
    for patients, asked in ((of_part["train"], 0), ([*of_part["train"], *of_part["test"]], len(of_part["test"]))):
        with (tmp_path / "pairs.csv").open("w", newline="") as file:
            pairs = [(patient, *PAIRS[0]) for patient in patients]
            csv.writer(file).writerows([("patient", "text", "counterfactual"), *pairs])
        found = first.again(arms=["base"], **changes).results
        assert [one["n"] for one in found["outcome_values"]] == ([asked] if asked else [])
        assert bool(found["outcomes"][0]["failed"]) == (not asked)


def test_what_is_killed_goes_on_behind_its_last_batch(
    tmp_path: Path, tiny_model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sets(tmp_path)
    changes: dict[str, Any] = {"arms": ["base"], "also": ["perplexity"]}
    whole = run(tmp_path, tiny_model_folder, tmp_path / "whole", **changes)
    monkeypatch.setattr(also_asked, "_BATCH", 4)
    asked: list[int] = []

    def killed(policy: Any, items: Any, **how: Any) -> Any:
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(len(items))
        return rows_of(policy, items, **how)

    with monkeypatch.context() as patch:
        patch.setattr(also_asked, "rows_of", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, tiny_model_folder, tmp_path / "run", **changes)
    left: list[int] = []

    def counted(policy: Any, items: Any, **how: Any) -> Any:
        left.append(len(items))
        return rows_of(policy, items, **how)

    monkeypatch.setattr(also_asked, "rows_of", counted)
    again = run(tmp_path, tiny_model_folder, tmp_path / "run", **changes)
    ours, theirs = again.results["outcome_values"][0], whole.results["outcome_values"][0]
    assert (asked, sum(left)) == ([4, 4], ours["n"] - 8)
    assert ours["value"] == pytest.approx(theirs["value"], rel=1e-6), "P1-7: whatever the batch, in float32"
    assert not [*again.folder.rglob("*.part.jsonl")]


def test_a_purge_names_the_pairs_that_it_leaves(asked: Run) -> None:
    assert ("pairs of texts", "pairs.csv") in external_data(RunFolder(asked.folder))


def test_a_forecast_counts_what_is_left_to_ask(tmp_path: Path, tiny_model_folder: Path) -> None:
    write_sets(tmp_path)
    run(tmp_path, tiny_model_folder, tmp_path / "run", arms=["base"])
    file = write_study(tmp_path, tiny_model_folder, arms=["base"], also=["gap"], gap=ALSO["gap"])
    said = []
    for _ in range(2):
        console = Console(record=True, file=io.StringIO(), width=200)
        run_study(*load_study(str(file)), tmp_path / "run", console, command="preceptor study")
        said.append(console.export_text())
    assert "What is left of the study takes about 1 minute" in said[0]
    assert "Everything was trained and answered already" in said[1]


def test_p2_9_arms_of_another_tokenizer_are_compared_by_shares_alone(tmp_path: Path, tiny_model_folder: Path) -> None:
    """The second model has the first one's weights and other pieces of words."""
    write_sets(tmp_path)
    other = tmp_path / "other"
    shutil.copytree(tiny_model_folder, other)
    words = json.loads((other / "tokenizer.json").read_text())
    words["model"]["merges"] = []  # single bytes
    (other / "tokenizer.json").write_text(json.dumps(words))
    stages = {"second": {"kind": "sft", "model": "other", "epochs": 1}}
    arms = ["base", {"name": "second", "stages": ["second"], "against": ["base"]}]
    one = run(
        tmp_path, tiny_model_folder, tmp_path / "run", arms=arms, models={"other": "other"}, stages=stages,
        primary=[["second", "base"]], **ALSO,
    )  # fmt: skip
    assert {each["arm"] for each in one.results["outcome_values"] if each["figure"] == "perplexity"} == {
        "base",
        "second",
    }
    compared = {each["figure"] for each in one.results["outcome_contrasts"]}
    assert "crows_pairs" in compared
    assert not compared & {"perplexity", "gap"}
