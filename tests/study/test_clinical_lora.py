"""The recipe `examples/clinical_lora.yaml` on a tiny random Llama and made-up reports in CodiEsp's form (float32)."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from rich.console import Console

from preceptor.engine import Numerics
from preceptor.models import find_model, heads_of, load_policy, load_tokenizer, slot_weights
from preceptor.study import load_study, run_study
from preceptor.study.answers.head import label_probabilities
from preceptor.study.cases import check_task, prepare, read_task
from preceptor.study.spec.stacks import slots_of
from study_runs import Run

EXAMPLES = Path(__file__).parents[2] / "examples"
SIGNS = {"B": "mycosis", "C": "carcinoma", "I": "hypertension", "K": "hepatitis", "N": "nephritis", "R": "fever"}
ARTICLES, UNLABELLED = 40, 12
ARMS = ("head", "lora", "domain-frozen+head", "domain-frozen+lora", "domain-trained+head", "domain-trained+lora")
BEHIND = ARMS[2:]
FEW = {"head", "domain-frozen+head", "domain-frozen+lora", "domain-trained+lora", "domain-frozen+written"}


def report(number: int) -> tuple[str, list[str]]:
    has = [letter for place, letter in enumerate(SIGNS) if (number >> place % 3) % 2 or (number + place) % 5 == 0]
    return f"Patient {number} came with {', '.join(SIGNS[one] for one in has)}.", [f"{one.lower()}10" for one in has]


def write_set(folder: Path) -> None:
    """A coded report of each article; others without codes, of the same articles, of others, and one that copies."""
    texts = {f"S{n}-1": report(n) for n in range(ARTICLES)}
    rows = [[case, case[:-2], "train", text, text] for case, (text, _) in texts.items()]
    for number in range(2 * UNLABELLED):
        article = f"S{number}" if number % 2 else f"T{number}"
        text = f"Report {number} of somebody who was seen {number} days later and was well."
        rows.append([f"{article}-2", article, "background", text, text])
    rows += [[f"U{n}-1", f"U{n}", "background", texts[f"S{n}-1"][0], texts[f"S{n}-1"][0]] for n in range(ARTICLES)]
    with (folder / "cases.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "article", "part", "text_es", "text_en"], *rows])
    codes = [f"{case}\t{code}" for case, (_, some) in texts.items() for code in some]
    (folder / "trainD.tsv").write_text("\n".join(codes) + "\n", encoding="utf-8")


def tiny(folder: Path, model: Path) -> Path:
    """The recipe on that set, with a tiny model and few arms, beside its task."""
    raw: dict[str, Any] = yaml.safe_load((EXAMPLES / "clinical_lora.yaml").read_text())
    task = (EXAMPLES / "codiesp_chapters.task.yaml").read_text()
    (folder / "codiesp_chapters.task.yaml").write_text(task)
    raw["tasks"][0]["data"]["path"] = raw["clm"]["corpus"] = "cases.csv"
    raw["tasks"][0]["limit"] = {}
    raw["clm"] |= {"limit": 20, "learning_rate": 0.01}
    raw["arms"] = [one for one in raw["arms"] if isinstance(one, dict) and one["name"] in FEW]
    for arm in raw["arms"]:
        arm["against"] = [one for one in arm.get("against", []) if one in FEW]
    raw["primary"] = [["domain-frozen+head", "head"]]
    raw |= {"model": str(model), "max_length": 320, "numerics": {"threads": 1, "dtype": "float32"}}
    (folder / "study.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    return folder / "study.yaml"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model_folder: Path) -> Run:
    folder = tmp_path_factory.mktemp("clinical")
    write_set(folder)
    file = tiny(folder, tiny_model_folder)
    study, base = load_study(str(file))
    results = run_study(study, base, folder / "run", Console(quiet=True), command="preceptor study")
    return Run(study, file, folder / "run", results.model_dump(mode="json"))


def cell(done: Run, arm: str) -> dict[str, Any]:
    (found,) = [one for one in done.results["cells"] if one["arm"] == arm]
    return dict(found)


def domain_stage(done: Run) -> Path:
    (found,) = [one for one in done.folder.glob("stages/*") if ledger(one)["kind"] == "clm"]
    return found


def ledger(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "ledger.json").read_text()))


def test_arms_behind_the_domain_stage_share_it() -> None:
    """One stage, one key: what is trained once costs once."""
    study, _ = load_study(str(EXAMPLES / "clinical_lora.yaml"))
    first = {study.stage_of(arm).lineage[0] for arm in (*BEHIND, "domain-frozen+written")}  # type: ignore[union-attr]
    assert len(first) == 1
    assert all(len(study.stage_of(arm).lineage) == 1 for arm in ("head", "lora"))  # type: ignore[union-attr]


def test_arms_differ_in_their_slots_alone() -> None:
    """P1-12: every arm of a contrast has the same settings, tried once."""
    study, _ = load_study(str(EXAMPLES / "clinical_lora.yaml"))
    stages = {arm: study.stage_of(arm) for arm in ARMS}
    assert len({str(study.settings_of(stage, study.tasks[0])) for stage in stages.values() if stage}) == 1
    slots = {arm: slots_of(study, stage, 12) for arm, stage in stages.items() if stage}
    assert {arm: (set(active), set(learn)) for arm, (active, learn) in slots.items()} == {
        "head": ({"head"}, {"head"}),
        "lora": ({"task", "head"}, {"task", "head"}),
        "domain-frozen+head": ({"domain", "head"}, {"head"}),
        "domain-frozen+lora": ({"domain", "task", "head"}, {"task", "head"}),
        "domain-trained+head": ({"domain", "head"}, {"domain", "head"}),
        "domain-trained+lora": ({"domain", "task", "head"}, {"domain", "task", "head"}),
    }


@pytest.mark.slow_recipe
class TestOnATinyModel:
    """The run itself, once for all of these."""

    def test_all_arms_answer_and_one_domain_stage_was_trained(self, done: Run) -> None:
        assert done.results["failed"] == []
        assert {one["arm"] for one in done.results["cells"]} == FEW
        assert ledger(domain_stage(done))["learning"].keys() == {"domain"}
        behind = [cell(done, arm)["learning"] for arm in ("domain-frozen+head", "domain-frozen+lora")]
        assert [one["clm"] for one in behind] == [ledger(domain_stage(done))["learning"]] * 2
        assert [set(one["classify"]) for one in behind] == [{"head"}, {"task", "head"}]
        assert set(cell(done, "domain-trained+lora")["learning"]["classify"]) == {"domain", "task", "head"}

    def test_held_out_articles_are_in_no_role(self, done: Run) -> None:
        """P1-8: neither their other reports nor copies of the held-out ones under another article are learned."""
        counts = done.results["study"]["tasks"][0]["counts"]
        found = ledger(domain_stage(done))
        assert found["documents"] == 2 * UNLABELLED + ARTICLES
        assert 0 < found["held_out_documents"] <= counts["groups_test"]
        assert found["near_duplicates"] >= counts["test"]
        left = found["documents"] - found["held_out_documents"] - found["near_duplicates"]
        assert found["not_drawn"] == max(0, left - 20)

    @pytest.mark.parametrize(("arm", "same"), [("domain-frozen+lora", True), ("domain-trained+lora", False)])
    def test_what_is_frozen_is_the_same_to_the_bit_and_what_learns_is_not(
        self, done: Run, arm: str, same: bool
    ) -> None:
        """P1-2."""
        source = find_model(done.study.model)
        before, after = (
            slot_weights(load_policy(source, folder, dtype=torch.float32).model, "domain")
            for folder in (domain_stage(done), done.folder / cell(done, arm)["policy"])
        )
        assert before.keys() == after.keys()
        assert {torch.equal(weight, before[name]) for name, weight in after.items()} == {same}

    def test_held_out_cases_are_answered_by_the_slots_that_were_trained(self, done: Run) -> None:
        """P1-1, P1-9: the whole stack, read again from its folder, gives each case's probabilities, by its id."""
        study, base = load_study(str(done.study_file))
        source = find_model(study.model)
        tokenizer = load_tokenizer(source)
        prepared = prepare(check_task(read_task(study.tasks[0], study, base), study, tokenizer), study, tokenizer)
        found = cell(done, "domain-frozen+lora")
        policy = load_policy(source, done.folder / found["policy"], dtype=torch.float32)
        assert {"domain", "task"} == {name for name in policy.slots if name not in heads_of(policy.model)}
        likely = label_probabilities(policy, prepared.test, Numerics(threads=1), several=True)
        rows = [json.loads(line) for line in (done.folder / found["predictions"]["path"]).read_text().splitlines()]
        scores = [[row["scores"][label] for label in prepared.task.set_labels] for row in rows]
        assert [row["id"] for row in rows] == [one.id for one in prepared.splits.test]
        torch.testing.assert_close(torch.tensor(scores), likely, atol=1e-5, rtol=1e-5)

    def test_an_arm_that_writes_is_rated_by_its_sets(self, done: Run) -> None:
        found = cell(done, "domain-frozen+written")
        assert set(found["learning"]) == {"clm", "sft"}
        assert found["also"].keys() == {"average_precision", "micro_f1"}
        assert found["value"] is not None
