"""What a run folder says is studied: cut off at any moment, results that stand are of what stands beside them."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from preceptor.errors import InputError
from preceptor.study import Study, check_results_current, make_study
from preceptor.study.cases import Checked, check_task, read_task
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.session import write_what_is_studied
from run_folders import real_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> Path:
    return real_run(tmp_path_factory.mktemp("written") / "run", tiny_source, seeds=(0,))


def studied(
    run: Path, base: Path, tokenizer: Any, *, name: str = "urgency", **changes: Any
) -> tuple[Study, list[Checked]]:
    """The study of a run with changes; `name` is its task's."""
    study = make_study(yaml.safe_load((run / "study.yaml").read_text()) | changes, "test")
    task = yaml.safe_load((base / "urgency.task.yaml").read_text()) | {"name": name}
    kept = (run / "tasks" / "urgency.yaml").read_text()
    (base / "urgency.task.yaml").write_text(kept if name == "urgency" else yaml.safe_dump(task))
    return study, [check_task(read_task(entry, study, base), study, tokenizer) for entry in study.tasks]


@contextmanager
def cut_after(changes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing changes in any folder after so many changes."""
    left = [changes]

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def once(*args: Any, **options: Any) -> Any:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return change(*args, **options)

        return once

    with monkeypatch.context() as patch:
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        patch.setattr(shutil, "rmtree", counted(shutil.rmtree))
        yield


def state(run: Path) -> str:
    try:
        check_results_current(run)
    except InputError as error:
        return "gone" if "has not ended yet" in str(error) else "older"
    return "stands"


@pytest.mark.parametrize("changes", [{}, {"question": "Another?"}, {"name": "other"}, {"max_length": 200}])
def test_wherever_it_is_cut_off_results_stand_or_are_gone(
    finished: Path, tmp_path: Path, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    base = shutil.copytree(finished.parent / "own", tmp_path / "own")
    run = RunFolder(shutil.copytree(finished, tmp_path / "run"))
    assert state(run.root) == "stands"
    study, checked = studied(run.root, base, tiny_tokenizer, **changes)
    seen, whole, number = [], False, 0
    while not whole:
        shutil.rmtree(run.root)
        shutil.copytree(finished, run.root)
        try:
            with cut_after(number, monkeypatch):
                write_what_is_studied(run, study, checked, base)
            whole = True
        except KeyboardInterrupt:
            number += 1
        seen.append(state(run.root))
    assert set(seen) <= {"stands", "gone"}
    assert set(seen) == {"stands"} if not changes else (number > 1 and seen[-1] == "gone")
    assert [path.name for path in run.root.glob("tasks/*")] == [f"{one.task.name}.yaml" for one in checked]


def test_what_is_as_it_should_be_is_not_written_again(finished: Path, tmp_path: Path, tiny_tokenizer: Any) -> None:
    base = shutil.copytree(finished.parent / "own", tmp_path / "own")
    run = RunFolder(shutil.copytree(finished, tmp_path / "run"))
    files = [run.study, run.preflight, run.task("urgency"), run.results]
    before = [(file.read_text(), file.stat().st_ino) for file in files]
    write_what_is_studied(run, *studied(run.root, base, tiny_tokenizer), base)
    for file, (text, _) in zip(files[:-1], before[:-1], strict=True):
        assert file.read_text() == text
    assert [(file.read_text(), file.stat().st_ino) for file in files] == before
