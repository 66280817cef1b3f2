"""The stage tree: each stage is computed once, kept under a key made of everything it depends on, and found again."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from preceptor.engine import (
    Numerics,
    Stage,
    dpo_steps,
    release_memory,
    run_dpo,
    run_sft,
    sft_steps,
    sft_steps_worth,
    tune,
)
from preceptor.errors import InputError, Problem
from preceptor.files import digest, write_json
from preceptor.models import ModelSource, Policy, load_policy, load_tokenizer, new_policy
from preceptor.preferences import Maker
from preceptor.study.cases import Prepared
from preceptor.study.run.alone import alone_in
from preceptor.study.run.failures import Cause, CellError, Part, cause_of
from preceptor.study.run.folder import RunFolder
from preceptor.study.spec.study import Study
from preceptor.study.stages.ledger import LEDGER, Done, StageKind
from preceptor.study.stages.make_pairs import maker_settings, work_on_pairs
from preceptor.study.stages.pairs import encode_pairs, pair_cases, read_pairs
from preceptor.study.stages.tracking import tracking_of

Progress = Callable[[str, int], Any]
"""`with progress(what, total) as advance:` shows how far a long step is."""


class NotDoneYet(Exception):  # noqa: N818 - the name says it
    """A stage that was only looked for is not there; what there is of it lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder


def chain(arm: str) -> tuple[tuple[str, str], ...]:
    """What an arm rests on, in order: the arm that each stage belongs to, and what it is called."""
    if not arm.startswith("sft"):
        return ()
    first = (("sft", "SFT"),)
    if arm == "sft":
        return first
    of_pairs = "sft+dpo" if arm == "sft+sft" else arm
    learned = (*first, (of_pairs, "pairs"), (of_pairs, "DPO"))
    return (*learned, (arm, "SFT continued")) if arm == "sft+sft" else learned


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every stage of a study shares; `votes` is the store. One that is only `looking` trains nothing.

    `failures` holds what failed in this run: other arms rest on it too, and it is not tried again for each.
    """

    study: Study
    numerics: Numerics
    source: ModelSource
    model_hash: str
    run: RunFolder
    progress: Progress
    votes: Path | None = None
    looking: bool = False
    failures: dict[Part, Cause] = field(default_factory=dict, compare=False)

    def stages(self, arm: str, prepared: Prepared, seed: int) -> list[Done]:
        """The arm's stages in order; each is found under its key, or made. Arms that begin alike share those stages.

        Raises `CellError` at the first that fails, and `NotDoneYet` at the first that would have to be made, when only
        looking.
        """
        made = list(self.walk(arm, prepared, seed))
        return [made[0], made[-1]] if arm == "sft+sft" else made

    def walk(self, arm: str, prepared: Prepared, seed: int) -> Iterator[Done]:
        """Everything the arm rests on, in the order of `chain`; each is found or made when it is asked for.

        Raises `CellError` at a stage that fails, or failed before in this run.
        """
        stages = self._walk(arm, prepared, seed)
        for owner, what in chain(arm):
            with self.costs_one_cell(Part(prepared.task.name, owner, seed, what), prepared):
                done = next(stages)
                _ = done.ledger  # one that is damaged is found before anything is trained on what it is of
            yield done

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

    def _walk(self, arm: str, prepared: Prepared, seed: int) -> Iterator[Done]:
        if not arm.startswith("sft"):
            return
        yield (sft := self._sft(prepared, seed))
        if arm == "sft":
            return
        maker = self.study.maker_of(arm)
        yield (pairs := self._pairs(prepared, sft, maker, seed))
        yield (dpo := self._dpo(prepared, pairs, maker, seed))
        if arm == "sft+sft":
            yield self._more_sft(prepared, sft, pairs, dpo, seed)

    def _sft(self, prepared: Prepared, seed: int) -> Done:
        settings = prepared.entry.sft or self.study.sft
        key = self._key("sft", settings.model_dump(), None, seed, _sft_data(prepared))

        def work(folder: Path) -> dict[str, Any]:
            dtype = self.numerics.torch_dtype
            start = partial(new_policy, self.source, self.study.adapter, seed=seed, dtype=dtype)
            return self._tune(start, prepared, folder, seed, sft_steps(len(prepared.train), settings))

        return self._once("sft", key, None, work)

    def _more_sft(self, prepared: Prepared, sft: Done, pairs: Done, dpo: Done, seed: int) -> Done:
        """SFT goes on for the floating-point operations that making pairs, the reference and DPO took."""
        settings = prepared.entry.sft or self.study.sft
        key = self._key("sft", {**settings.model_dump(), "for_as_much_as": dpo.key}, sft, seed, _sft_data(prepared))

        def work(folder: Path) -> dict[str, Any]:
            flops = (pairs.cost + dpo.cost).flops
            start = self._start(sft)
            steps = sft_steps_worth(flops, start(), prepared.train, settings, self.numerics, seed=seed)
            return self._tune(start, prepared, folder, seed, steps, flops)

        return self._once("sft", key, None, work)

    def _tune(
        self,
        start: Callable[[], Policy],
        prepared: Prepared,
        folder: Path,
        seed: int,
        steps: int,
        flops: float | None = None,
    ) -> dict[str, Any]:
        what = "SFT" if flops is None else "SFT continued"
        run = partial(
            run_sft,
            train=prepared.train,
            validation=prepared.validation,
            settings=prepared.entry.sft or self.study.sft,
            numerics=self.numerics,
            folder=folder / "checkpoints",
            seed=seed,
            flops=flops,
            tracking=tracking_of(self.study, self.run, f"{prepared.task.name}/{what}/seed-{seed}/{folder.name}"),
        )
        with self.progress(f"{prepared.task.name}: {what}", steps) as advance:
            return _told(tune(start, run, folder, self.numerics, advance))

    def _pairs(self, prepared: Prepared, parent: Done, maker: Maker | None, seed: int) -> Done:
        cases = pair_cases(prepared, self.study.pairs.limit, seed, maker)
        asked = zip(cases.examples, cases.encoded, strict=True)
        data = [cases.trained_on, [[e.id, e.target, e.rejected, c.prompt] for e, c in asked]]
        settings = {
            "task": prepared.task.model_dump(),
            **maker_settings(maker, self.study, prepared, self.votes),
        }
        key = self._key("pairs", settings, parent, seed, digest(data))

        def work(folder: Path) -> dict[str, Any]:
            policy = load_policy(self.source, parent.policy, dtype=self.numerics.torch_dtype)
            with self.progress(f"{prepared.task.name}: making pairs", len(cases.examples)) as advance:
                return work_on_pairs(
                    maker,
                    self.study,
                    prepared,
                    cases,
                    policy,
                    self.numerics,
                    folder,
                    seed=seed,
                    store=self.votes,
                    advance=advance,
                )

        return self._once("pairs", key, parent.policy, work)

    def _dpo(self, prepared: Prepared, parent: Done, maker: Maker | None, seed: int) -> Done:
        settings = prepared.entry.dpo or self.study.dpo
        tokenizer, longest = load_tokenizer(self.source), self.study.max_length
        made, to_look_at = read_pairs(parent.folder / "pairs.jsonl", prepared)
        pairs, too_long = encode_pairs(prepared, made, tokenizer, longest)
        validation, _ = encode_pairs(prepared, to_look_at, tokenizer, longest)
        if not pairs:
            what = "no training case gave a pair of answers that fits, so there is nothing to prefer"
            fix = "Leave sft+dpo out of `arms`, raise `max_length`, or give rejected answers in the data."
            where = f"task {prepared.task.name}" + (f", maker {maker}" if maker else "")
            raise InputError(Problem(where, what, fix))
        data = digest([[[p.prompt, p.chosen, p.rejected] for p in part] for part in (pairs, validation)])
        key = self._key("dpo", settings.model_dump(), parent, seed, data)
        trees = [settings.batch_size, seed]  # with the numerics, what the steps' trees depend on
        reference = self.run.reference(digest([parent.policy.name, data, trees, self.numerics.model_dump()]))

        def work(folder: Path) -> dict[str, Any]:
            run = partial(
                run_dpo,
                pairs=pairs,
                validation=validation,
                settings=settings,
                numerics=self.numerics,
                folder=folder / "checkpoints",
                seed=seed,
                reference_file=reference,
                tracking=tracking_of(self.study, self.run, f"{prepared.task.name}/DPO/seed-{seed}/{folder.name}"),
            )
            with self.progress(f"{prepared.task.name}: DPO", dpo_steps(len(pairs), settings)) as advance:
                stage = tune(self._start(parent), run, folder, self.numerics, advance)
            return _told(stage) | {
                "pairs_too_long": too_long,
                "ordered_rightly": stage.ordered_rightly,
                "first_margin": stage.first_margin,
                "reference_gap": stage.reference_gap,
            }

        return self._once("dpo", key, None, work)

    def _once(self, kind: StageKind, key: str, policy: Path | None, work: Callable[[Path], dict[str, Any]]) -> Done:
        """Do the work unless its ledger stands: it is written last, so a folder with one is whole."""
        folder = self.run.stage(key)
        if not (folder / LEDGER).exists():
            if self.looking:
                raise NotDoneYet(folder)
            with alone_in(folder):
                if not (folder / LEDGER).exists():  # whoever was waited for may have done it
                    release_memory()
                    ledger = work(folder)
                    write_json(folder / LEDGER, {"kind": kind, "key": key, **ledger})
        if not self.looking:
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        return Done(kind, key, folder, policy or folder)

    def _key(self, kind: StageKind, settings: dict[str, Any], parent: Done | None, seed: int, data: str) -> str:
        return digest(
            {
                "kind": kind,
                "settings": settings,
                "adapter": self.study.adapter.model_dump() if self.study.adapter else None,
                "numerics": self.numerics.model_dump(),
                "parent": parent.key if parent else None,
                "seed": seed,
                "data": data,
                "model": self.model_hash,
            }
        )

    def _start(self, parent: Done) -> Callable[[], Policy]:
        """What loads the parent's policy to be tuned on, in whichever process calls it."""
        return partial(load_policy, self.source, parent.policy, dtype=self.numerics.torch_dtype, trainable=True)


def _sft_data(prepared: Prepared) -> str:
    cases = ([[e.prompt, e.answer] for e in part] for part in (prepared.train, prepared.validation))
    return digest(list(cases))


def _told(stage: Stage) -> dict[str, Any]:
    return {"cost": stage.cost.to_json(), "history": stage.history}
