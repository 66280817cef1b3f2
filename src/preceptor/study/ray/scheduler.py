"""Steps at work in a cluster: which wait, which run and where, and what becomes of those that fail."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape

from preceptor.errors import InputError, PreceptorError
from preceptor.progress import Advance
from preceptor.study.ray.resources import Needs, names_of, on_node
from preceptor.study.ray.steps import Step
from preceptor.study.ray.worker import Failure, Job, do
from preceptor.study.run.failures import Cause, Part, out_of_reach

_RETRIES = 3
"""How often a step begins again, from its checkpoint, after its process or its machine was lost."""


class StepError(Exception):
    """A step failed on another machine in a way that nobody foresaw; says where in the code."""


class _ProgressActor:
    """What the steps tell the process that waits for them; Ray keeps it alive there."""

    def __init__(self) -> None:
        self._news: list[tuple[int, str, float]] = []

    def tell(self, number: int, node: str, share: float) -> None:
        self._news.append((number, node, share))

    def news(self) -> list[tuple[int, str, float]]:
        news, self._news = self._news, []
        return news


class Scheduler:
    """The steps at work: which wait, which run and where, and how far each is."""

    def __init__(
        self,
        ray: Any,
        job: Job,
        steps: Sequence[Step],
        needs: Mapping[Step, Needs],
        names: Mapping[str, str],
        console: Console,
        advance: Advance,
    ) -> None:
        self._ray, self._job, self._steps, self._needs = ray, job, steps, needs
        self._names, self._console, self._advance = names, console, advance
        self._here = on_node(ray, ray.get_runtime_context().get_node_id())
        self._board = ray.remote(num_cpus=0, scheduling_strategy=self._here)(_ProgressActor).remote()
        self._running: dict[Any, Step] = {}
        self._shares: dict[int, float] = {}
        self._places: dict[int, str] = {}

    def work(self) -> list[Cause]:
        """Every step, each as soon as what it needs is done. Returns why some failed, which costs what rests on them.

        Raises what any other step raised, and ends all.
        """
        waiting, done, causes = list(self._steps), set[Step](), list[Cause]()
        try:
            while waiting or self._running:
                for step in [one for one in waiting if one.after is None or one.after in done]:
                    waiting.remove(step)
                    self._running[self._submit(step)] = step
                finished, _ = self._ray.wait(list(self._running), timeout=0.5)
                self._show(self._ray.get(self._board.news.remote()))
                for reference in finished:
                    step = self._running.pop(reference)
                    if cause := self._end(reference, step):
                        causes.append(cause)
                        for lost in [one for one in waiting if one.rests_on(step)]:
                            waiting.remove(lost)
                            self._advance(1.0)
                    else:
                        done.add(step)
        finally:
            for reference in self._running:
                self._ray.cancel(reference, force=True)
        return causes

    def _submit(self, step: Step) -> Any:
        needs = self._needs[step]
        task = self._ray.remote(
            num_cpus=needs.cpus, num_gpus=needs.gpus, memory=needs.memory, max_retries=_RETRIES, retry_exceptions=False
        )(_do_in_a_task)
        place = self._here if needs.here else "SPREAD"
        options = task.options(name=str(step), scheduling_strategy=place)
        return options.remote(self._job, step, self._steps.index(step), self._board)

    def _end(self, reference: Any, step: Step) -> Cause | None:
        """Why the step failed, if that costs only what rests on it. Raises what else went wrong with it."""
        number = self._steps.index(step)
        place = self._places.get(number, "a machine of the cluster")
        try:
            failure: Failure | None = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            failure = _lost(error, step, place)
        self._advance(1.0 - self._shares.get(number, 0.0))
        self._shares[number] = 1.0
        if failure is None:
            return None
        if failure.cause is None:
            _raise_again(failure, f"{step}, on {place}")
        said = f"{step}, on {place}, failed: {failure.cause.reason}."
        self._console.print(escape(said), highlight=False)
        return failure.cause

    def _show(self, news: Sequence[tuple[int, str, float]]) -> None:
        for number, node, share in news:
            before = self._shares.get(number, 0.0)
            if share > before:
                self._advance(share - before)
                self._shares[number] = share
            if share == 0.0:
                again = "goes on, now" if number in self._places else "runs"
                self._places[number] = self._names.get(node) or names_of(self._ray).get(node, node[:8])
                said = f"{self._steps[number]}: {again} on {self._places[number]}"
                self._console.print(escape(said), highlight=False)


def _do_in_a_task(job: Job, step: Step, number: int, board: Any) -> Failure | None:
    """What runs in a worker; where it runs is told first."""
    import ray

    node = ray.get_runtime_context().get_node_id()

    def tell(share: float) -> Any:
        return board.tell.remote(number, node, share)  # nobody waits for it, but at the start

    with suppress(TimeoutError):
        tell(0.0).future().result(timeout=30)  # in `ray.wait` a task lends its processors to the next one
    return do(job, step, tell)


def _raise_again(failure: Failure, where: str) -> NoReturn:
    """The failure as it would have been raised by this process."""
    if failure.problems:
        raise InputError(failure.problems)
    if failure.system:
        raise OSError(*failure.system)
    if failure.ours:
        raise PreceptorError(f"{where}: {failure.said}")
    raise StepError(f"{where}; the error's own words are left out, for they may repeat a case:\n{failure.said}")


def _lost(error: Exception, step: Step, place: str) -> Failure:
    """What became of a step that Ray could not bring to its end: what takes its process down costs that step alone."""
    part = Part(step.task, step.arm, step.seed, step.title)
    match type(error).__name__:
        case "OutOfMemoryError":
            return Failure(cause=out_of_reach(part, f"{place} had too little memory for it, again and again"))
        case "WorkerCrashedError" | "NodeDiedError":
            times = f"its process was lost {_RETRIES + 1} times, last on {place} (often: too little memory)"
            return Failure(cause=out_of_reach(part, times))
        case kind:
            again = "The same command goes on from the checkpoint"
            return Failure(said=f"Ray could not bring it to its end ({kind}). {again}.", ours=True)
