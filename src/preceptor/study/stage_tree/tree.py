"""Each stage is done once: found under a key made of everything it depends on, or done and kept under it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from preceptor.engine import Cost, Numerics, release_memory
from preceptor.files import digest, write_json
from preceptor.models import DEFAULT, ModelSource, with_pools
from preceptor.study.cases import Prepared
from preceptor.study.other_models import OtherModel
from preceptor.study.run.failures import Cause, CellError, Part, cause_of
from preceptor.study.run.folder import RunFolder
from preceptor.study.run.locks import folder_lock
from preceptor.study.spec.found import find_kind
from preceptor.study.spec.stacks import adapter_of, slots_of
from preceptor.study.spec.stage_entry import Toward, entry_of
from preceptor.study.spec.stages import StageRef
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.ledger import LEDGER, StageOutput
from preceptor.study.stage_tree.stage_context import Context, Progress, data_digest


@dataclass(frozen=True, slots=True)
class MissingStage:
    """A stage that is not there; what there is of it lies in `folder`."""

    stage: StageRef
    folder: Path


@dataclass(frozen=True, slots=True)
class _Known:
    """A stage all of whose parents stand: what it is given, what it learns from, and its key."""

    context: Context
    data: Any
    output: StageOutput


@dataclass(frozen=True, slots=True)
class StageTree:
    """The stages of a study's arms; `votes` is the store of raters' votes.

    `failures` holds what failed in this run: other arms rest on it too, and it is not tried again for each.
    """

    study: Study
    numerics: Numerics
    source: ModelSource
    model_hash: str
    run: RunFolder
    progress: Progress
    votes: Path | None = None
    base_folder: Path = Path()
    others: Mapping[str, OtherModel] = field(default_factory=dict)
    """The study's further models, by name."""
    failures: dict[Part, Cause] = field(default_factory=dict, compare=False)
    known: dict[tuple[StageRef, str, int], _Known] = field(default_factory=dict, compare=False, repr=False)
    """What was looked up: data and keys are made once a run."""

    def source_of(self, model: str | None) -> ModelSource:
        """A model by its name; the study's for None."""
        return self.source if model is None else self.others[model].source

    def hash_of(self, model: str | None) -> str:
        """Names the weights of a model."""
        return self.model_hash if model is None else self.others[model].hash

    def outputs(self, arm: str, prepared: Prepared, seed: int) -> list[StageOutput]:
        """What an arm's stages came to, in order; each is found, or done now. Empty for an untouched arm.

        Raises `CellError` at the first that fails, or failed before in this run.
        """
        last = self.study.stage_of(arm)
        for stage in last.required if last else ():
            with self.costs_one_cell(part_of(stage, prepared, seed), prepared):
                self._get_or_run(stage, prepared, seed)
        return self._lineage(last, prepared, seed)

    def get(self, stage: StageRef, prepared: Prepared, seed: int) -> StageOutput:
        """What one stage came to, found or done now; all that it rests on stands. Raises `CellError` when it fails."""
        with self.costs_one_cell(part_of(stage, prepared, seed), prepared):
            return self._get_or_run(stage, prepared, seed)

    def find(self, arm: str, prepared: Prepared, seed: int) -> list[StageOutput] | MissingStage:
        """What an arm's stages came to, or the first of all it rests on that is missing. Nothing is trained.

        Raises `CellError` where it is sure to fail.
        """
        last = self.study.stage_of(arm)
        found = self.find_stage(last, prepared, seed) if last else None
        return found if isinstance(found, MissingStage) else self._lineage(last, prepared, seed)

    def find_stage(self, last: StageRef, prepared: Prepared, seed: int) -> StageOutput | MissingStage:
        """What one stage came to, or the first of all it rests on that is missing. Raises as `find` does."""
        for stage in last.required:
            with self.costs_one_cell(part_of(stage, prepared, seed), prepared):
                found = self._look_up(stage, prepared, seed).output
                if not (found.folder / LEDGER).exists():
                    return MissingStage(stage, found.folder)
                _ = found.ledger  # one that is damaged is found before anything is trained on what it is of
        return found

    @contextmanager
    def costs_one_cell(self, part: Part, prepared: Prepared) -> Iterator[None]:
        """Do `part` in the block. Raises `CellError` for what costs only what rests on it, or did in this run."""
        if part in self.failures:
            raise CellError(self.failures[part])
        try:
            yield
        except CellError:
            raise
        except Exception as error:
            if (cause := cause_of(error, part, prepared, self.run.root)) is None:
                raise
            self.failures[part] = cause
            raise CellError(cause) from None

    def _get_or_run(self, stage: StageRef, prepared: Prepared, seed: int) -> StageOutput:
        """The ledger is written last, so a folder with one is whole."""
        known = self._look_up(stage, prepared, seed)
        folder = known.output.folder
        if not (folder / LEDGER).exists():
            with folder_lock(folder):
                if not (folder / LEDGER).exists():  # whoever was waited for may have done it
                    release_memory()
                    result = find_kind(stage.kind).run(known.context, known.data)
                    named = {"kind": stage.kind, "key": known.output.key}
                    write_json(folder / LEDGER, named | result.to_json())
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        _ = known.output.ledger
        return known.output

    def _toward(self, stage: StageRef, prepared: Prepared, seed: int) -> tuple[StageOutput, Toward] | None:
        entry = entry_of(stage.name, self.study.stages)
        if stage.toward is None or entry is None or entry.toward is None:
            return None
        return self._look_up(stage.toward, prepared, seed).output, entry.toward

    def cost_of(self, arm: str, prepared: Prepared, seed: int) -> Cost:
        """What an arm's training took, with what its targets took to make; all of its stages stand."""
        last = self.study.stage_of(arm)
        paid = [self._look_up(one, prepared, seed).output.cost for one in (last.paid if last else ())]
        return sum(paid, Cost())

    def _lineage(self, last: StageRef | None, prepared: Prepared, seed: int) -> list[StageOutput]:
        return [self._look_up(stage, prepared, seed).output for stage in (last.lineage if last else ())]

    def _look_up(self, stage: StageRef, prepared: Prepared, seed: int) -> _Known:
        """Its data and key; all that it rests on stands."""
        at = (stage, prepared.task.name, seed)
        if at not in self.known:
            self.known[at] = self._known(stage, prepared, seed)
        return self.known[at]

    def _known(self, stage: StageRef, prepared: Prepared, seed: int) -> _Known:
        kind = find_kind(stage.kind)
        parents = self._lineage(stage.after, prepared, seed)
        given = prepared.given_to(stage, seed)
        spent = [self._look_up(one, prepared, seed).output for one in stage.budget_stages]
        budget = sum((one.cost for one in spent), Cost()).training_flops if spent else None
        toward = self._toward(stage, prepared, seed)
        settings = self.study.settings_of(stage, prepared.entry)
        slots, train = slots_of(self.study, stage, len(prepared.task.labels or prepared.task.set_labels))
        source = self.source_of(stage.model)
        slots = with_pools(slots, source)
        adapter = adapter_of(self.study, kind, stage.model)
        if self.study.slots and not hasattr(kind, "model"):
            adapter = None
        context = Context(
            study=self.study,
            stage=stage,
            settings=settings,
            tasks=(given,),
            source=source,
            numerics=self.numerics,
            seed=seed,
            run=self.run,
            folder=Path(),
            parents=tuple(parents),
            budget=budget,
            progress=self.progress,
            slots=slots,
            train=train,
            votes=self.votes,
            base_folder=self.base_folder,
            toward=toward,
        )
        data = kind.data(context)
        inputs = kind.inputs(context) if hasattr(kind, "inputs") else settings.model_dump()
        if spent:
            inputs |= {"for_as_much_as": spent[-1].key}
        if [*slots] not in ([DEFAULT], []):
            inputs |= {"slots": {name: slot.model_dump() for name, slot in slots.items()}, "train": train}
        if toward:
            inputs |= {"toward": {**toward[1].model_dump(), "states": toward[0].key}}
        if given.view_key:
            inputs |= {"view": given.view_key}
        key = digest(
            {
                "kind": stage.kind,
                "settings": inputs,
                "adapter": adapter.model_dump() if adapter else None,
                "numerics": self.numerics.model_dump(),
                "parent": parents[-1].key if parents else None,
                "seed": seed,
                "data": data_digest(data),
                "model": self.hash_of(stage.model),
            }
        )
        folder = self.run.stage(key)
        policy = folder if kind.makes == "policy" else parents[-1].policy
        return _Known(replace(context, folder=folder), data, StageOutput(stage.kind, key, folder, policy))


def part_of(stage: StageRef, prepared: Prepared, seed: int) -> Part:
    """How a failure of the stage is known."""
    return Part(prepared.task.name, stage.owner, seed, stage.title)
