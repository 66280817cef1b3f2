import time
from datetime import date
from pathlib import Path

import pytest
import yaml

from preceptor.strict_yaml import line_of, load_yaml, setting_in, where_and_why


def test_every_key_that_stands_twice_is_named_with_its_line() -> None:
    text = "a: 1\nb:\n  - {c: 1, d: 2, c: 3}\na: 2\nb: {e: 1}\n"
    value, repeated = load_yaml(text, yaml.SafeLoader)
    assert value == {"a": 2, "b": {"e": 1}}
    assert repeated == [(3, "c"), (4, "a"), (5, "b")]


def test_keys_of_two_kinds_and_merged_ones_are_not_the_same() -> None:
    text = "base: &base {a: 1}\nother: &other {b: 2}\nboth: {<<: *base, <<: *other, a: 3}\n1: x\n'1': y\n"
    value, repeated = load_yaml(text, yaml.SafeLoader)
    assert repeated == []
    assert (value[1], value["1"]) == ("x", "y")
    assert load_yaml(text, yaml.BaseLoader)[1] == [(3, "<<"), (5, "1")], "as text they are"


def test_scalars_as_text_or_as_what_they_are() -> None:
    text = "{no: 1, day: 2024-07-26}"
    assert load_yaml(text, yaml.BaseLoader)[0] == {"no": "1", "day": "2024-07-26"}
    assert load_yaml(text, yaml.SafeLoader)[0] == {False: 1, "day": date(2024, 7, 26)}
    assert load_yaml("", yaml.SafeLoader) == (None, [])


def test_a_mapping_that_holds_itself_ends() -> None:
    value, repeated = load_yaml("&a {self: *a, self: 1}", yaml.SafeLoader)
    assert value == {"self": 1}
    assert repeated == [(1, "self")]


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("a: 1\nb: [1", "x.yaml, line 2", "expected ',' or ']'"),
        ("a: 1\nb: 2024-13-01", "x.yaml, line 2", "there is no such date"),
        ("a: 1\n2024-02-30: b", "x.yaml, line 2", "there is no such date"),
        ("a: 1\nb: [" + "1" * 5000 + "]", "x.yaml, line 2", "this number is too long"),
        ("a: 1\nb: 0x" + "f" * 5000, "x.yaml, line 2", "this number is too long"),
        ("a: 1\nb: !!int word", "x.yaml, line 2", "this is no number"),
        ("a: 1\nb: !!timestamp word", "x.yaml, line 2", "there is no such date"),
        ("a: \0", "x.yaml", "special characters are not allowed"),
        ("a: 1\nb: " + "[" * 50_000, "x.yaml", "nested too deeply"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_cause_and_its_line_where_it_is_known(text: str, where: str, why: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        load_yaml(text, yaml.SafeLoader)
    place, cause = where_and_why(Path("x.yaml"), caught.value)
    assert place == where
    assert why in cause


def test_a_text_that_only_looks_like_a_number_or_a_date_is_a_text() -> None:
    text = "{n: " + "1" * 5000 + ", day: 2024-13-01}"
    assert load_yaml(text, yaml.BaseLoader)[0] == {"n": "1" * 5000, "day": "2024-13-01"}


PLACES = """\
name: mine
arms:
  - base
  - sft
  - sft+dpo
  - {name: own, stages: [sft]}
tasks:
  - task: a.yaml
    data: &data
      path: a.csv
  - {task: b.yaml, data: *data}
sft: {epochs: 1}
labels:
  a.b: x
  a: {c: y}
1: z
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("name", 1),
        ("arms.2", 5),
        ("arms.3.arm.stages.0", 6),
        ("arms.sft+dpo: it is named twice", 5),
        ("arms.sft: it is named twice", 4),
        ("arms.rlhf", 2),
        ("tasks.0.data.path", 10),
        ("tasks.0.data.group", 9),
        ("tasks.1.margin", 11),
        ("tasks.7.margin", 7),
        ("sft.epochs.int", 12),
        ("labels.a.b", 14),
        ("labels.a.c", 15),
        ("1", 16),
        ("names", None),
        ("", None),
    ],
)
def test_the_line_of_a_setting_or_of_the_innermost_around_it(place: str, line: int | None) -> None:
    assert line_of(PLACES, place) == line


def test_how_messages_name_a_setting() -> None:
    assert setting_in(Path("x.yaml"), PLACES, "sft.epochs") == "x.yaml, line 12, sft.epochs"
    assert setting_in(Path("x.yaml"), PLACES, "dpo") == "x.yaml, dpo"
    assert line_of("", "name") is None


@pytest.mark.parametrize("text", ["[" * 5_000, "{a: " * 5_000, "- " * 500 + "a"])
def test_thousands_of_brackets_are_refused_at_once(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        load_yaml(text, yaml.SafeLoader)
    assert time.process_time() - begun < 1
