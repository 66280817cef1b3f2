"""`--set KEY=VALUE`: as if it stood in the file, and told as what was given where it is wrong."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.errors import InputError
from preceptor.study import load_study
from preceptor.study.spec.overrides import override

STUDY = """\
name: mine
arms: [base, sft]
tasks:
  - &first
    task: summarization
    data: {cases: 30}
  - <<: *first
    task: my own/urgency.task.yaml
adapter: {rank: 4}
sft:
"""


NO_ELEMENT = "there is no element `{}` in this list of 2. Name it by its number, from 0 to 1"


def load(tmp_path: Path, *settings: str) -> Any:
    file = tmp_path / "mine.yaml"
    file.write_text(STUDY)
    return load_study(str(file), settings)[0]


def refused(tmp_path: Path, *settings: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(tmp_path, *settings)
    return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("sft.epochs=2", lambda study: study.sft.epochs == 2),
        ("dpo.beta=.3", lambda study: study.dpo is None or study.dpo.beta == 0.3),
        ("adapter.rank=8", lambda study: (study.adapter.rank, study.adapter.alpha) == (8, 32)),
        ("adapter=none", lambda study: study.adapter is None),
        ("adapter={rank: 2}", lambda study: study.adapter.rank == 2),
        ("arms=[base, tfidf]", lambda study: study.arm_names == ("base", "tfidf")),
        ("arms.1=tfidf", lambda study: study.arm_names == ("base", "tfidf")),
        ("question=a=b: c", None),
        ("question='a=b: c'", lambda study: study.question == "a=b: c"),
        ("name=2024", None),
        ("primary=", lambda study: study.primary is None),
        ("tasks.0.margin=0.05", lambda study: [one.margin for one in study.tasks] == [0.05, None]),
        ("tasks.urgency.margin=.05", lambda study: [one.margin for one in study.tasks] == [None, 0.05]),
        ("tasks.summarization.data.cases=9", lambda study: [one.data.cases for one in study.tasks] == [9, 30]),
        ("tasks.1.data.cases=9", lambda study: [one.data.cases for one in study.tasks] == [30, 9]),
        ("tasks.1.limit.test=5", lambda study: study.tasks[1].limit == {"test": 5}),
    ],
)
def test_a_setting_takes_its_place(tmp_path: Path, setting: str, read: Any) -> None:
    if read is None:
        assert refused(tmp_path, setting)
    else:
        assert read(load(tmp_path, setting)), setting


def test_the_last_of_one_name_holds_and_each_is_read_after_those_before_it(tmp_path: Path) -> None:
    other = "tasks=[{task: summarization, data: {cases: 5}}]"
    of_other = (other, "tasks.summarization.margin=.1")
    study = load(tmp_path, "sft.epochs=2", "sft.epochs=3", "sft.batch_size=4", "tasks=[]", *of_other)
    assert (study.sft.epochs, study.sft.batch_size) == (3, 4)
    assert [(one.data.cases, one.margin) for one in study.tasks] == [(5, 0.1)]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("sft.epoch=2", "--set sft.epoch: there is no such setting. Check the spelling, or take it out."),
        ("seed=2", "--set seed: there is no such setting."),
        ("sft={epoch: 2}", "--set sft, sft.epoch: there is no such setting."),
        ("tasks.urgency.margn=.05", "--set tasks.urgency.margn: there is no such setting."),
        ("tasks.urgency.margin=5", "--set tasks.urgency.margin: Input should be less than 1."),
        ("sft.epochs=two", "--set sft.epochs: Input should be a valid integer"),
        ("arms.1=rlhf", "--set arms.1: rlhf: there is no stage 'rlhf'"),
        ("stages={mild: {kind: dpo, rate: 1}}", "--set stages: mild.rate: there is no such setting"),
        ("numerics.dtype=bfloat16", None),
        ("sft.epochs", "--set sft.epochs: it is not KEY=VALUE. Say it as in --set sft.epochs=2."),
        ("=2", "--set : it is not KEY=VALUE."),
        ("sft..epochs=2", "--set sft..epochs: it is not KEY=VALUE."),
        ("arms=[base", "--set arms: its value is not valid YAML: expected ',' or ']'"),
        ("sft={epochs: 1, epochs: 2}", "--set sft: `epochs` stands there a second time."),
        ("name.first=x", "--set name.first: `name` is a value in the study file, and no settings stand in it."),
        ("tasks.2.margin=.1", f"--set tasks.2.margin: {NO_ELEMENT.format(2)}, or its task: summarization, urgency."),
        ("tasks.urgent.margin=.1", f"--set tasks.urgent.margin: {NO_ELEMENT.format('urgent')}, or its task: "),
        ("seeds=[a]", "--set seeds, seeds.0: Input should be a valid integer"),
        ("arms.sft=base", f"--set arms.sft: {NO_ELEMENT.format('sft')}."),
    ],
)
def test_what_is_wrong_with_it_is_told_as_what_was_given(tmp_path: Path, setting: str, told: str | None) -> None:
    if told is None:
        load(tmp_path, setting)
    else:
        (said,) = refused(tmp_path, setting)
        assert said.startswith(told)


def test_every_problem_at_once_and_what_the_file_says_itself_by_its_line(tmp_path: Path) -> None:
    assert len(refused(tmp_path, "sft", "arms=[", "tasks.7=1")) == 3
    said = refused(tmp_path, "adapter=none", "numerics.dtype=bfloat16", "seed=1")
    assert said[0].startswith("--set seed: there is no such setting")
    (said_of_both,) = refused(tmp_path, "dpo.label_smoothing=0.1", "dpo.loss_type=ipo")
    assert said_of_both.startswith("mine.yaml, dpo, with --set dpo.label_smoothing, with --set dpo.loss_type: ")
    (tmp_path / "mine.yaml").write_text(STUDY.replace("rank: 4", "rank: none"))
    with pytest.raises(InputError) as caught:
        load_study(str(tmp_path / "mine.yaml"), ["adapter.alpha=8"])
    assert caught.value.problems[0].where == f"{tmp_path}/mine.yaml, line 9, adapter.rank"


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4), st.integers())
def test_what_is_set_is_what_is_read_and_nothing_else_changes(path: list[str], value: int) -> None:
    before: dict[str, Any] = {"a": {"a": None, "b": {"z": 1}}, "z": [1, {"z": 2}]}
    kept = copy.deepcopy(before)
    after, _ = override(before, [f"{'.'.join(path)}={value}"])
    assert before == kept
    found: Any = after
    for part in path:
        found = found[part]
    assert found == value
    assert after["z"] == kept["z"]
    if path[:2] != ["a", "b"] and path != ["a"]:
        assert after["a"]["b"] == {"z": 1}
