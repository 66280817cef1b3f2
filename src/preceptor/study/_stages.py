"""The stage tree: each stage is computed once, kept under a key made of everything it depends on, and found again."""

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.data import TooLong, fit_pair
from preceptor.engine import Cost, EncodedPair, Numerics, Stage, dpo_steps, run_dpo, run_sft, sft_steps
from preceptor.errors import InputError, Problem
from preceptor.files import digest, private_folder, read_jsonl, write_json, write_jsonl
from preceptor.models import ModelSource, Policy, load_policy, load_tokenizer, new_policy, save_policy
from preceptor.preferences import Pair, make_pairs
from preceptor.study._prepare import Prepared
from preceptor.study._run_folder import RunFolder
from preceptor.study._score import case_score
from preceptor.study._spec import StageKind, Study

LEDGER = "ledger.json"

Progress = Callable[[str, int], Any]
"""`with progress(what, total) as advance:` shows how far a long step is."""


@dataclass(frozen=True, slots=True)
class Done:
    """A finished stage: its key, its folder, and the folder of the policy that comes out of it."""

    kind: StageKind
    key: str
    folder: Path
    policy: Path

    @property
    def ledger(self) -> dict[str, Any]:
        """What the stage cost, logged and left out."""
        ledger: dict[str, Any] = json.loads((self.folder / LEDGER).read_text(encoding="utf-8"))
        return ledger

    @property
    def cost(self) -> Cost:
        """What the stage cost."""
        return Cost(**self.ledger["cost"])


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every stage of a study shares."""

    study: Study
    numerics: Numerics
    source: ModelSource
    model_hash: str
    run: RunFolder
    progress: Progress

    def run_stage(self, kind: StageKind, prepared: Prepared, parent: Done | None, seed: int) -> Done:
        """Find the stage's output under its key, or make it."""
        return {"sft": self._sft, "pairs": self._pairs, "dpo": self._dpo}[kind](prepared, parent, seed)

    def _sft(self, prepared: Prepared, parent: Done | None, seed: int) -> Done:
        settings = prepared.entry.sft or self.study.sft
        data = [[e.prompt, e.answer] for e in prepared.train], [[e.prompt, e.answer] for e in prepared.validation]
        key = self._key("sft", settings.model_dump(), parent, seed, digest(data))

        def work(folder: Path) -> dict[str, Any]:
            policy = self._new_policy(seed)
            with self.progress(f"{prepared.task.name}: SFT", sft_steps(len(prepared.train), settings)) as advance:
                stage = run_sft(
                    policy,
                    prepared.train,
                    prepared.validation,
                    settings,
                    self.numerics,
                    folder / "checkpoints",
                    seed=seed,
                    advance=advance,
                )
            return _keep(policy, folder, stage)

        return self._once("sft", key, None, work)

    def _pairs(self, prepared: Prepared, parent: Done | None, seed: int) -> Done:
        assert parent is not None
        chosen = pair_cases(len(prepared.train), self.study.pairs.limit, seed)
        examples, encoded = [prepared.splits.train[i] for i in chosen], [prepared.train[i] for i in chosen]
        data = [[e.id, e.target, e.rejected, c.prompt] for e, c in zip(examples, encoded, strict=True)]
        key = self._key("pairs", {"task": prepared.task.model_dump()}, parent, seed, digest(data))

        def work(folder: Path) -> dict[str, Any]:
            policy = self._load(parent, trainable=False)
            with self.progress(f"{prepared.task.name}: making pairs", len(examples)) as advance:
                pairs, cost = make_pairs(
                    policy,
                    prepared.task,
                    examples,
                    [one.prompt for one in encoded],
                    lambda text, example: case_score(prepared.task, text, example),
                    self.numerics,
                    seed=seed,
                    advance=advance,
                )
            rows = [{"id": p.example_id, "chosen": p.chosen, "rejected": p.rejected, "origin": p.origin} for p in pairs]
            write_jsonl(folder / "pairs.jsonl", rows)
            origins = {origin: sum(p.origin == origin for p in pairs) for origin in sorted({p.origin for p in pairs})}
            return {"cost": cost.to_json(), "pairs": origins, "without_pair": len(examples) - len(pairs)}

        return self._once("pairs", key, parent.policy, work)

    def _dpo(self, prepared: Prepared, parent: Done | None, seed: int) -> Done:
        assert parent is not None
        settings = prepared.entry.dpo or self.study.dpo
        pairs, too_long = self._encoded_pairs(prepared, parent)
        if not pairs:
            what = "no training case gave a pair of answers that fits, so there is nothing to prefer"
            fix = "Leave sft+dpo out of `arms`, raise `max_length`, or give rejected answers in the data."
            raise InputError(Problem(f"task {prepared.task.name}", what, fix))
        data = digest([[p.prompt, p.chosen, p.rejected] for p in pairs])
        key = self._key("dpo", settings.model_dump(), parent, seed, data)
        reference = self.run.reference(digest([parent.policy.name, data, self.numerics.model_dump()]))

        def work(folder: Path) -> dict[str, Any]:
            policy = self._load(parent, trainable=True)
            with self.progress(f"{prepared.task.name}: DPO", dpo_steps(len(pairs), settings)) as advance:
                stage = run_dpo(
                    policy,
                    pairs,
                    settings,
                    self.numerics,
                    folder / "checkpoints",
                    seed=seed,
                    reference_file=reference,
                    advance=advance,
                )
            return _keep(policy, folder, stage) | {"pairs_too_long": too_long}

        return self._once("dpo", key, None, work)

    def _encoded_pairs(self, prepared: Prepared, parent: Done) -> tuple[list[EncodedPair], int]:
        """Pairs as token ids, and how many did not fit (a rejected answer may be longer than gold)."""
        tokenizer = load_tokenizer(self.source)
        example_of = {example.id: example for example in prepared.splits.train}
        encoded = []
        rows = read_jsonl(parent.folder / "pairs.jsonl")
        for row in rows:
            pair = Pair(row["id"], row["chosen"], row["rejected"], row["origin"])
            try:
                fitted = fit_pair(
                    prepared.task,
                    example_of[pair.example_id],
                    tokenizer,
                    self.study.max_length,
                    pair.chosen,
                    pair.rejected,
                )
            except TooLong:
                continue
            encoded.append(EncodedPair(fitted.chosen.prompt, fitted.chosen.answer, fitted.rejected.answer))
        return encoded, len(rows) - len(encoded)

    def _once(self, kind: StageKind, key: str, policy: Path | None, work: Callable[[Path], dict[str, Any]]) -> Done:
        """Do the work unless its ledger stands: it is written last, so a folder with one is whole."""
        folder = self.run.stage(key)
        if not (folder / LEDGER).exists():
            private_folder(folder)
            ledger = work(folder)
            write_json(folder / LEDGER, {"kind": kind, "key": key, **ledger})
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

    def _new_policy(self, seed: int) -> Policy:
        return new_policy(self.source, self.study.adapter, seed=seed, dtype=self.numerics.torch_dtype)

    def _load(self, parent: Done, *, trainable: bool) -> Policy:
        return load_policy(self.source, parent.policy, dtype=self.numerics.torch_dtype, trainable=trainable)


def pair_counts(done: Sequence[Done]) -> dict[str, int]:
    """How many pairs each maker made, and how many cases gave none or none that fits; empty for arms without pairs."""
    counts: dict[str, int] = {}
    for stage in done:
        if stage.kind == "pairs":
            counts |= stage.ledger["pairs"] | {"without_pair": stage.ledger["without_pair"]}
        if stage.kind == "dpo":
            counts |= {"too_long": stage.ledger["pairs_too_long"]}
    return counts


def pair_cases(cases: int, limit: int | None, seed: int) -> list[int]:
    """Which training cases get pairs: all, or a seeded draw (files are often sorted by label)."""
    if limit is None or limit >= cases:
        return list(range(cases))
    return sorted(random.Random(seed).sample(range(cases), limit))


def _keep(policy: Policy, folder: Path, stage: Stage) -> dict[str, Any]:
    save_policy(policy, folder)
    return {"cost": stage.cost.to_json(), "history": stage.history}
