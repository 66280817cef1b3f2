"""What may fail in a study and costs one cell, not the study: recognised here, and recorded without a word of a case.

A cell is an arm on a task with a seed. What is not recognised here ends the study: a full disk, a folder that another
process holds, Ctrl-C, and faults of ours, which must not pass for a cell's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from preceptor.engine import out_of_memory
from preceptor.errors import InputError, PreceptorError, Problem, UnforeseenError, printable
from preceptor.study.cases import Prepared
from preceptor.study.run.locks import FolderHeldError

ANSWERS = "answers"
EVALUATION = "evaluation"
"""Where a cell may fail beside its stages: giving the held-out answers, and reading them back to be scored."""

_MORE_MEMORY = (
    "Lower `tokens_per_tree` under `numerics`, or `max_length`, or take a larger machine; `preceptor plan` says how "
    "much memory each stage takes."
)
_AGAIN = "Run the same command again: it tries this again, and nothing that is finished."


class Failure(BaseModel):
    """Why a cell has no result, an entry of `failed` in `results.json`.

    `stage` is a stage of its arm, `answers` or `evaluation`.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    task: str
    model: str
    arm: str
    seed: int
    stage: str
    reason: str
    fix: str


@dataclass(frozen=True, slots=True)
class Part:
    """What can fail: a stage of `arm`, or its answers. Arms that rest on a stage name it by the arm it belongs to."""

    task: str
    arm: str
    seed: int
    stage: str
    answers_key: str = ""
    """Arms that chance has no part in are asked once for all seeds: their answers are known by this."""

    def __str__(self) -> str:
        return f"{self.task}, {self.stage} of {self.arm}, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a part failed."""

    part: Part
    reason: str
    fix: str

    def of_cell(self, task: str, model: str, arm: str, seed: int) -> Failure:
        """The failure of a cell that needed the part."""
        rests = arm != self.part.arm
        reason = f"{self.part.stage}, which it rests on, failed: {self.reason}" if rests else self.reason
        stage, fix = self.part.stage, self.fix
        return Failure(task=task, model=model, arm=arm, seed=seed, stage=stage, reason=reason, fix=fix)


class CellError(InputError):
    """Part of a study failed for a reason that concerns only what rests on it."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(Problem(str(cause.part), cause.reason, cause.fix))
        self.cause = cause


def cause_of(error: Exception, part: Part, prepared: Prepared, run_folder: Path) -> Cause | None:
    """Why `part` failed; None for an error that must end the study."""
    if (found := _reason_and_fix(error)) is None:
        return None
    reason, fix = (printable(_without_cases(words, prepared, run_folder)) for words in found)
    return Cause(part, reason, fix)


def out_of_reach(part: Part, reason: str) -> Cause:
    """A part that a machine lacked the memory for, again and again."""
    return Cause(part, reason, _MORE_MEMORY)


def in_words(failed: Sequence[Failure], phrases: Mapping[str, str]) -> str:
    """`SFT+DPO failed in DPO (seeds 0, 1); ...`; `phrases`: how each arm is called within a sentence."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for one in failed:
        seeds.setdefault((one.arm, one.stage), []).append(one.seed)
    return "; ".join(
        f"{phrases[arm]} failed in {stage} ({'seed' if len(some) == 1 else 'seeds'} {', '.join(map(str, some))})"
        for (arm, stage), some in seeds.items()
    )


def _reason_and_fix(error: Exception) -> tuple[str, str] | None:
    if out_of_memory(error):
        return "there is not enough memory", _MORE_MEMORY
    match error:
        case UnforeseenError() | FolderHeldError():
            return None
        case InputError():
            what = "; ".join(f"{problem.where}: {problem.what}" for problem in error.problems)
            return what, " ".join(dict.fromkeys(problem.fix for problem in error.problems))
        case PreceptorError():
            return str(error).removesuffix("."), _AGAIN
        case _:
            return None


def _without_cases(words: str, prepared: Prepared, run_folder: Path) -> str:
    """The words without an id of a case, which an error may name, and without the way to the run folder."""
    splits = prepared.splits
    ids = {example.id for part in (splits.train, splits.validation, splits.test) for example in part}
    for one in sorted((one for one in ids if f"case {one}" in words), key=len, reverse=True):
        words = words.replace(f"case {one}", "a case")
    return words.replace(f"{run_folder}/", f"{run_folder.name}/")
