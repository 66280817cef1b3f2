"""Ray, started on this machine or connected to: nothing of it reports to its makers or opens a page."""

import logging
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from preceptor.environment import environment
from preceptor.errors import InputError, Problem
from preceptor.extras import install_command

THIS_MACHINE = "local"
"""In place of an address: a Ray of this machine alone, for as long as the study runs."""

_NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": f"{_NOWHERE}/",  # Ray reports that reports are off, too
    "RAY_task_oom_retries": "3",  # without end otherwise
}
_ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # only where Ray makes no clusters does it listen on 127.0.0.1 alone
    "http_proxy": _NOWHERE,  # where Ray starts, it asks three cloud providers whether it is with them
    "https_proxy": _NOWHERE,
    "no_proxy": "127.0.0.1,localhost",
}


def require_ray(address: str) -> Any:
    """Ray, with its reports off. Raises `InputError` when it is not installed."""
    with environment(_quiet(address)):  # part of it is read when Ray is imported
        try:
            import ray
        except ImportError:
            fix = f"Install it: {install_command('ray')}"
            raise InputError(Problem("--on ray", "Ray is not installed", fix)) from None
    return ray


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Ray, connected; what runs there ends with the block. Raises `InputError` when that is not possible."""
    ray = require_ray(address)
    token = {"RAY_AUTH_TOKEN": secrets.token_hex(32)} if address == THIS_MACHINE else {}
    with environment(_quiet(address) | token):
        try:
            with _own_sigterm():
                _connect(ray, address)
            _check_reports_off(ray, address)
            yield ray
        finally:
            ray.shutdown()


def _quiet(address: str) -> dict[str, str]:
    """The environment in which Ray neither reports nor, on this machine alone, is reached from the network."""
    return _QUIET | (_ALONE if address == THIS_MACHINE else {})


def _connect(ray: Any, address: str) -> None:
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address == THIS_MACHINE:  # names and numbers pass through the object store, no cases and no weights
        settings |= {"num_cpus": len(os.sched_getaffinity(0)), "object_store_memory": 100_000_000}
        settings |= {"include_dashboard": False}
    if address.startswith("ray://"):
        fix = "Start the command on a machine of the cluster, with --address auto."
        raise InputError(Problem(f"--address {address}", "a Ray client is not one of the cluster's machines", fix))
    try:
        ray.init(address=address, **settings)
    except Exception as error:  # of many kinds, plain ones among them
        first_line = str(error).strip().partition("\n")[0][:200]
        what = f"Ray cannot be reached or started ({first_line or type(error).__name__})"
        fix = "Look whether `ray status` finds the cluster from this machine; docs/CLUSTER.md says how one is started."
        raise InputError(Problem(f"--on ray, --address {address}", what, fix)) from error


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Ray's start puts a handler in place of ours that would end the process without a word; ours is put back."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit:  # Ray's own answer to a SIGTERM that came while it started
        signal.signal(signal.SIGTERM, ours)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        with suppress(ValueError):  # outside the main thread neither Ray nor we may set one
            signal.signal(signal.SIGTERM, ours)


def _check_reports_off(ray: Any, address: str) -> None:
    """A cluster whose head reports its usage to Ray's makers; what it would report is collected only then."""
    from ray.experimental.internal_kv import _internal_kv_get

    if b"git_commit" in (_internal_kv_get(b"CLUSTER_METADATA", namespace=b"cluster") or b""):
        fix = "Start its head again as docs/CLUSTER.md says, with RAY_USAGE_STATS_ENABLED=0."
        raise InputError(Problem(f"--address {address}", "this cluster reports its usage to Ray's makers", fix))
