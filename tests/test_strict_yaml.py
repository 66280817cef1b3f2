from datetime import date

import pytest
import yaml

from preceptor.strict_yaml import load_yaml


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


@pytest.mark.parametrize(("text", "kind"), [("a: [1", yaml.MarkedYAMLError), ("2024-13-01", ValueError)])
def test_what_is_no_yaml(text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        load_yaml(text, yaml.SafeLoader)
