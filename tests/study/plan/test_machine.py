"""How much memory is free: no more than the machine has, and no more than a container's limit leaves."""

from pathlib import Path

import pytest
import torch

from preceptor.errors import InputError
from preceptor.study.plan import machine
from preceptor.study.plan.machine import GIB, available_here

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a device's memory is asked of its driver")


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    return tmp_path


def limited(cgroup: Path, limit: str, used: int, cached: int = 0) -> None:
    (cgroup / "memory.max").write_text(f"{limit}\n")
    (cgroup / "memory.current").write_text(f"{used}\n")
    (cgroup / "memory.stat").write_text(f"anon {used - cached}\ninactive_file {cached}\nslab 5\n")


def test_what_a_container_leaves_is_all_there_is(cgroup: Path) -> None:
    limited(cgroup, "5000000", used=2_000_000, cached=500_000)
    assert available_here() == 3_500_000
    limited(cgroup, "5000000", used=6_000_000)
    assert available_here() == 0


@pytest.mark.parametrize("limit", ["max", "nonsense", str(1 << 60)])
def test_without_a_limit_it_is_what_the_machine_has_free(cgroup: Path, limit: str) -> None:
    limited(cgroup, limit, used=0)
    assert 0.05 * GIB < available_here() < 1 << 50


def test_outside_a_container_it_is_what_the_machine_has_free(cgroup: Path) -> None:
    assert not list(cgroup.iterdir())
    assert 0.05 * GIB < available_here() < 1 << 50


@pytest.mark.parametrize("devices", [0, 65, 100])
def test_more_devices_than_a_model_is_trained_on_are_refused(devices: int) -> None:
    with pytest.raises(InputError, match="--devices: so many do not train one model together"):
        machine.machine(devices, 80, 400)
