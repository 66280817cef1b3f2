from pathlib import Path

import pytest
import yaml

from preceptor.engine import DPOSettings, SFTSettings
from preceptor.errors import InputError
from preceptor.models import EMBEDDED, AdapterSettings
from preceptor.study import Study, builtin_studies, load_study, make_study
from preceptor.study.cases import read_task
from preceptor.tasks import builtin_tasks
from tiny_study import write_study

LEAST = {"name": "least", "tasks": [{"task": "triage_provider", "data": {"cases": 30}}]}


def test_the_five_tasks_compare_seven_arms_on_every_built_in_task_of_the_paper() -> None:
    recipes = ["long_notes", "medication", "quickstart", "specialty"]
    assert builtin_studies() == ["abbreviations", "debias", "five-tasks", *recipes]
    study, _ = load_study("five-tasks")
    recipes = ("abbreviations", "long_note", "medication", "specialty")
    assert sorted(entry.task for entry in study.tasks) == [one for one in builtin_tasks() if one not in recipes]
    assert study.arms == ("base", "base+shots", "sft", "sft+dpo", "sft+sft", "encoder", "tfidf")
    assert all(entry.margin == 0.05 for entry in study.tasks)
    assert study.model == EMBEDDED
    assert all(entry.limit["test"] >= 60 for entry in study.tasks)


def test_the_quickstart_asks_whether_corrections_remove_an_error_of_the_archive() -> None:
    study, base = load_study("quickstart")
    assert study.arms == ("base", "sft", "sft+dpo", "sft+chosen", "sft+sft")
    assert study.makers == ("published",)
    assert study.primary_contrasts == (("sft+dpo", "sft"), ("sft+dpo", "sft+sft"))
    (entry,) = study.tasks
    assert entry.task == "summarization"
    assert entry.data.spike is not None
    assert entry.data.spike.share == 0.7
    cases = read_task(entry, study, base)
    assert {part: len(getattr(cases.splits, part)) for part in entry.limit} == entry.limit
    assert sum(case.archive is not None for case in cases.splits.train) == 50
    dpo, chosen = study.dpo, study.chosen
    assert (dpo.epochs, dpo.batch_size) == (chosen.epochs, chosen.batch_size), "as many steps on the same pairs"


def test_every_default_has_a_value() -> None:
    study = make_study(LEAST, "here")
    assert study.seeds == (0,)
    assert study.adapter == AdapterSettings()
    assert (study.sft, study.dpo) == (SFTSettings(), DPOSettings())
    written = study.model_dump(mode="json")
    assert written["sft"]["patience"] == SFTSettings().patience
    assert written["numerics"] == {
        "dtype": "auto",
        "threads": "auto",
        "tokens_per_tree": 1536,
        "answer_dtype": "auto",
    }


@pytest.mark.parametrize("adapter", ["none", None, {"rank": 2, "target_modules": ["q_proj"]}])
def test_a_study_written_out_reads_back_as_the_same_study(tmp_path: Path, adapter: object) -> None:
    data = {"path": {"train": "a.csv", "test": "b.csv"}, "group": "each row", "labels": {1: "routine", "no": "urgent"}}
    entry = {"task": "urgency.task.yaml", "data": data, "limit": {"test": 9}, "sft": {"epochs": 7}}
    file = write_study(tmp_path, Path("a model"), tasks=[entry], adapter=adapter)
    study, folder = load_study(str(file))
    assert folder == tmp_path
    assert (study.adapter is None) == (adapter in ("none", None))
    again = tmp_path / "again.yaml"
    again.write_text(yaml.safe_dump(study.model_dump(mode="json")))
    assert load_study(str(again))[0] == study


def test_every_problem_is_told_with_its_place_and_remedy() -> None:
    wrong = LEAST | {"model": 3, "seeds": [0, 0], "arms": [], "adapter": {"dropout": 0.1}, "splitseed": 1}
    wrong["tasks"] = [{"task": "triage_provider", "data": {}, "limit": {"test": 0, "tests": 1}}]
    with pytest.raises(InputError) as caught:
        make_study(wrong, "mine.yaml")
    told = {problem.where.removeprefix("mine.yaml, "): problem for problem in caught.value.problems}
    assert {"model", "seeds", "arms", "adapter.dropout", "splitseed", "tasks.0.data", "tasks.0.limit.test"} < set(told)
    assert told["splitseed"].what == "there is no such setting"
    assert told["seeds"].what == "name each only once"
    assert all(problem.fix for problem in told.values())


def test_settings_of_one_task_stand_in_place_of_the_studys() -> None:
    entry = {**LEAST["tasks"][0], "dpo": {"beta": 0.5}}
    study = make_study(LEAST | {"tasks": [entry], "dpo": {"beta": 0.2}}, "here")
    assert isinstance(study, Study)
    assert study.tasks[0].dpo is not None
    assert (study.tasks[0].dpo.beta, study.dpo.beta, study.tasks[0].sft) == (0.5, 0.2, None)


def test_every_weight_in_sixteen_bits_is_refused() -> None:
    with pytest.raises(InputError, match="rounds small steps away; use float32"):
        make_study({**LEAST, "adapter": "none", "numerics": {"dtype": "bfloat16"}}, "here")
    assert make_study({**LEAST, "adapter": "none"}, "here").numerics.dtype == "auto"


@pytest.mark.parametrize("again", [["sft", "base"], ["base", "sft"]])
def test_one_contrast_is_not_named_twice(again: list[str]) -> None:
    settings = LEAST | {"arms": ["base", "sft"], "primary": [["sft", "base"], again]}
    with pytest.raises(InputError, match="primary"):
        make_study(settings, "here")
