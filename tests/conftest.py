"""What many tests share: the tiny model, the real one, and a machine without network."""

from preceptor.openmp import limit_spinning

limit_spinning()  # as the commands do, before anything imports torch

# ruff: noqa: E402 - see above
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import CommandLine
from tiny_model import build_tiny_encoder, build_tiny_model

pytest_plugins = ["browser"]


@pytest.fixture(scope="session", autouse=True)
def data_home_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Looks at test sets are noted in the user's data folder; a test's are none of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
        yield


@pytest.fixture(scope="module", autouse=True)
def data_home_of_this_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the fixtures of one file looked at, those of another have not seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
        yield


@pytest.fixture(autouse=True)
def data_home_of_this_test(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test looked at, another has not seen."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local model folder with safetensors, tokenizer and chat template. Read it, do not change it."""
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def tiny_source(tiny_model_folder: Path) -> Any:
    """The tiny model as `preceptor.models` sees it."""
    from preceptor.models import find_model

    return find_model(str(tiny_model_folder))


@pytest.fixture(scope="session")
def tiny_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local folder with a tiny encoder. Read it, do not change it."""
    return build_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny-bert")


@pytest.fixture(scope="session")
def encoder_source(tiny_encoder_folder: Path) -> Any:
    """The tiny encoder as `preceptor.models` sees it."""
    from preceptor.models import find_model

    return find_model(str(tiny_encoder_folder))


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_source: Any) -> Any:
    """The tiny model's tokenizer."""
    from preceptor.models import load_tokenizer

    return load_tokenizer(tiny_source)


@pytest.fixture(scope="session")
def embedded_source() -> Any:
    """The real embedded model, fetched into the cache when it is not there; for tests marked `model` and `slow`."""
    from preceptor.models import EMBEDDED, fetch_embedded, find_model

    fetch_embedded()
    return find_model(EMBEDDED)


@pytest.fixture
def preceptor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line, in this process."""
    return CommandLine(monkeypatch, capsys)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a socket or looking up a host fails."""

    class Refused(socket.socket):
        def __init__(self, *_: object, **__: object) -> None:
            raise AssertionError("something tried to open a socket")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something tried to look up a host")

    monkeypatch.setattr(socket, "socket", Refused)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
