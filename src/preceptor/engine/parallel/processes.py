"""A group of processes on this machine that run one function together, and end together."""

import multiprocessing
import os
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessContext, ProcessException, start_processes
from transformers.utils import logging as transformers_logging

from preceptor.engine.memory_errors import without_case
from preceptor.engine.settings import Numerics
from preceptor.environment import environment
from preceptor.errors import InputError, PreceptorError, Problem
from preceptor.progress import Advance, quiet

Out = TypeVar("Out")

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 5.0
_AGAIN = "Run the same command again: it goes on from the last checkpoint"


def in_processes(work: Callable[[Advance], Out], numerics: Numerics, advance: Advance) -> Out:
    """What `work` returns in the first of as many processes as the numerics say. All of them run it, as one group.

    `work` and what it returns can be pickled. The processes speak over this machine's own loopback only. When one of
    them fails or dies, the others are ended. Raises the InputError or OSError that one raised, UnforeseenError for a
    fault of ours, PreceptorError for anything else.
    """
    _check_accelerators(numerics.processes)
    torch.cuda.empty_cache()  # memory that this process has kept for later is the workers' now
    messages: SimpleQueue[Any] = multiprocessing.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="preceptor-") as private:
        context = _start((work, numerics, Path(private) / "meeting-point", messages), numerics.processes)
        try:
            result: Out = _result(context, messages, advance)
            return result
        finally:
            for process in context.processes:  # only of an interrupted wait are any left
                process.kill()


def _check_accelerators(processes: int) -> None:
    accelerators = torch.cuda.device_count()
    if 0 < accelerators < processes:
        what = f"{processes} processes are asked for, and this machine has {accelerators} accelerators"
        raise InputError(Problem("numerics: processes", what, f"Set it to {accelerators} or less."))


def _start(arguments: tuple[Any, ...], count: int) -> ProcessContext:
    """As many workers, each of which sees one accelerator only: transformers takes the first that a process sees."""
    accelerators = [str(number) for number in range(torch.cuda.device_count())]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(accelerators)).split(",")
    started = []
    for rank in range(count):
        with environment({"CUDA_VISIBLE_DEVICES": visible[rank]} if accelerators else {}):
            started.append(start_processes(_worker, (rank, *arguments), nprocs=1, join=False))
    return ProcessContext([one.processes[0] for one in started], [one.error_files[0] for one in started])


def _result(context: ProcessContext, messages: "SimpleQueue[Any]", advance: Advance) -> Any:
    """Wait for the processes, and show how far the first of them is."""
    results: list[Any] = []
    errors: list[Exception] = []
    read = {"units": advance, "result": results.append, "error": errors.append}

    def listen() -> None:
        while not messages.empty():
            kind, content = messages.get()
            read[kind](content)

    try:
        while not context.join(_POLL_SECONDS, _GRACE_SECONDS):
            listen()
    except ProcessException:
        listen()
        raise _cause(context, errors) from None  # torch's own words hold those of the error
    listen()
    if not results:
        raise PreceptorError(f"the processes of this stage were interrupted. {_AGAIN}.")
    return results[0]


def _cause(context: ProcessContext, errors: list[Exception]) -> Exception:
    """Why they ended: one was killed, or the first to fail; those who were waiting for it fail after it."""
    processes = context.processes
    for number, process in enumerate(processes, 1):
        if process.exitcode == -9:  # we end others more gently
            who = f"process {number} of the {len(processes)} that train one model together"
            return PreceptorError(f"{who} was killed; often the machine had no memory left. {_AGAIN}.")
    if not errors:
        return PreceptorError(f"one of the {len(processes)} processes that train one model together ended. {_AGAIN}.")
    return errors[0]


def _worker(
    _: int, rank: int, work: Callable[[Advance], Any], numerics: Numerics, store: Path, messages: "SimpleQueue[Any]"
) -> None:
    """One process of the group."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    transformers_logging.set_verbosity_error()  # it would advise to launch it otherwise
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view")  # it is never changed in place
    torch.set_num_threads(max(1, numerics.threads // numerics.processes))
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    if loopback:
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = loopback
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, init_method=f"file://{store}", rank=rank, world_size=numerics.processes)
    try:
        result = work(partial(_send, messages, "units") if rank == 0 else quiet)
    except Exception as error:
        messages.put(("error", without_case(error)))
        raise
    if rank == 0:
        messages.put(("result", result))
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)  # a thread of torch that still runs can abort a process that ends in the usual way


def _end_with_parent() -> None:
    """A stage of a command that was killed must not go on beside that of the next one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _send(messages: "SimpleQueue[Any]", kind: str, content: Any = 1) -> None:
    messages.put((kind, content))
