"""A study file in which something stands twice, or an arm lacks what it needs, is refused by place and name."""

from pathlib import Path
from typing import Any

import pytest

from preceptor.errors import InputError
from preceptor.study import load_study, make_study

LEAST: dict[str, Any] = {"name": "least", "tasks": [{"task": "triage_provider", "data": {"cases": 30}}]}


def refused(settings: dict[str, Any]) -> str:
    with pytest.raises(InputError) as caught:
        make_study(LEAST | settings, "mine.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: a\ntasks: []\nname: b\n", "line 3: the setting `name` stands here a second time"),
        ("name: a\nsft:\n  epochs: 1\n  batch_size: 2\n  epochs: 3\n", "line 5: the setting `epochs` stands here"),
        ("tasks:\n  - task: x\n    data: {cases: 3, cases: 4}\n", "line 3: the setting `cases` stands here"),
    ],
)
def test_a_setting_that_stands_twice_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_study(str(file))
    assert f"twice.yaml, {told}" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "name: a\nquestion: 2024-02-30\n",
            "bad.yaml, line 2: it is not valid YAML: there is no such date. Correct it.",
        ),
        ("name: a\nsplit_seed: 0x" + "f" * 5000, "bad.yaml, line 2: it is not valid YAML: this number is too long."),
        ("name: " + "[" * 50_000, "bad.yaml: it is not valid YAML: lists or mappings are nested too deeply."),
    ],
)
def test_a_file_that_is_no_yaml_is_told_with_what_is_known(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_study(str(file))
    assert told in str(caught.value)


def test_the_same_key_in_two_places_is_no_repetition(tmp_path: Path) -> None:
    file = tmp_path / "fine.yaml"
    file.write_text(
        "name: fine\nsft: &steps {epochs: 2, batch_size: 4}\ndpo: {<<: *steps, epochs: 1}\n"
        "tasks:\n  - {task: a.yaml, data: {cases: 3}}\n  - {task: b.yaml, data: {cases: 3}}\n"
    )
    study, _ = load_study(str(file))
    assert (study.sft.epochs, study.dpo.epochs, study.dpo.batch_size) == (2, 1, 4)


def test_arms_say_what_they_need_all_at_once() -> None:
    told = refused({"arms": ["base", "sft", "sft+sft"], "primary": [["sft", "sft"], ["sft", "tfidf"]]})
    assert "sft+sft: it goes on for the compute that another arm takes, so name an arm that begins with sft" in told
    assert "sft is compared with itself" in told
    assert "tfidf is not among the arms" in told


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"arms": ["best"]},
            "arms.0: best: there is no stage 'best'; an arm is base, a way of answering (copy_last, endpoint, ",
        ),
        ({"arms": ["base", "endpoint"]}, "endpoint needs its settings; add `endpoint: {url: ..., model: ...}`"),
        ({"arms": ["base", {"name": "base", "stages": ["sft"]}]}, "base is named more than once"),
        ({"arms": [{"name": "x", "stages": ["sft"], "answer": "quark"}]}, "x: there is no way of answering 'quark'"),
        (
            {"arms": [{"name": "x", "stages": ["sft"], "against": ["y"]}]},
            "with y, which is not among the arms",
        ),
        ({"arms": [{"name": "x", "stage": ["sft"]}]}, "arms.0.arm.stage: there is no such setting"),
        ({"stages": {"mild": {"kind": "dpo", "rate": 1}}}, "stages: mild.rate: there is no such setting"),
        (
            {"stages": {"mild": {"kind": "dpx"}}},
            "stages: mild: there is no kind 'dpx'; use one of chosen, classify, clm, dpo, encoder, pairs, senses, sft",
        ),
        ({"stages": {"mild": {"kind": "dpo", "after": "mild"}}}, "stages: mild comes after itself"),
        ({"stages": {"shots": {"kind": "dpo"}}}, "stages: shots: an arm could not name it"),
        ({"arms": ["base", "base+dpo"]}, "dpo works with the policy of the stage before it, so it cannot be the first"),
        ({"arms": ["base", "pairs"]}, "pairs works with the policy of the stage before it"),
        ({"arms": ["base", "sft", "sft+tfidf"]}, "tfidf does not ask the policy"),
        ({"arms": ["sft", "sft+dpo", "sft+dpo+dpo"]}, "no last stage that can go on for the compute of another arm"),
        ({"arms": ["sft", "sft+dpo", "sft+sft+dpo"]}, "sft goes on for the compute of another arm"),
        ({"arms": ["base", {"name": "a", "stages": ["sft", "sft"], "control_of": "base"}]}, "name an arm that begins"),
        ({"arms": ["base", {"name": "a", "stages": ["sft", "sft"], "control_of": "a"}]}, "name an arm that begins"),
        ({"arms": ["base", {"name": "a", "stages": ["sft"], "against": ["a"]}]}, "a: it is compared with itself"),
        ({"arms": ["base", "sft+"]}, "sft+: there is no stage ''"),
        (
            {"arms": ["a", "sft+b+a"], "stages": {"a": {"kind": "sft"}, "b": {"kind": "dpo", "after": "a"}}},
            "b comes after a, and here after sft",
        ),
        (
            {
                "arms": ["sft+a", "sft+b"],
                "stages": {"a": {"kind": "sft", "compute_of": "sft+b"}, "b": {"kind": "sft", "compute_of": "sft+a"}},
            },
            "name an arm that begins with sft",
        ),
        ({"numerics": {"threads": 5000}}, "less than or equal to 1024"),
        ({"adapter": {"rank": 100_000}}, "less than or equal to 1024"),
        ({"shots": {"count": 0}}, "greater than or equal to 1"),
        ({"tasks": [{**LEAST["tasks"][0], "margin": 5}]}, "tasks.0.margin: Input should be less than 1"),
        ({"tasks": [{**LEAST["tasks"][0], "margin": 0}]}, "greater than 0"),
    ],
)
def test_a_setting_out_of_bounds_is_refused(settings: dict[str, Any], told: str) -> None:
    assert told in refused(settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [("sft+dpo", "sft")]),
        ({"arms": ["base", "sft", "sft+dpo", "sft+sft"]}, [("sft+dpo", "sft"), ("sft+dpo", "sft+sft")]),
        ({"arms": ["base", "sft"]}, [("sft", "base")]),
        ({"arms": ["sft"]}, []),
        ({"primary": [["sft", "base"]]}, [("sft", "base")]),
        ({"primary": []}, []),
    ],
)
def test_the_verdict_rests_on_what_dpo_must_beat_unless_the_study_says_otherwise(
    settings: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert list(make_study(LEAST | settings, "here").primary_contrasts) == expected
