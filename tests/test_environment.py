import os

import pytest

from preceptor.environment import environment


def test_what_was_set_before_is_restored_also_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRECEPTOR_SET", "before")
    monkeypatch.delenv("PRECEPTOR_UNSET", raising=False)
    variables = {"PRECEPTOR_SET": "within", "PRECEPTOR_UNSET": "within"}

    def fail() -> None:
        with environment(variables):
            assert {name: os.environ[name] for name in variables} == variables
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert os.environ["PRECEPTOR_SET"] == "before"
    assert "PRECEPTOR_UNSET" not in os.environ
