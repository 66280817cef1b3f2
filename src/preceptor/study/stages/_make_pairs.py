"""The work of the stage `pairs`: a maker is asked, what it made is sifted and parted, and all of it is counted."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from preceptor.engine import Numerics
from preceptor.models import Policy
from preceptor.preferences import Maker, Request, look_at, make_pairs, votes
from preceptor.progress import Advance
from preceptor.study.cases import Prepared
from preceptor.study.score import case_score
from preceptor.study.spec.study import Study
from preceptor.study.stage_tree.context import Result
from preceptor.study.stages._pair_files import PAIRS, PairCases, parted, write_pairs
from preceptor.tasks import Example


def maker_settings(maker: Maker | None, study: Study, prepared: Prepared, store: Path | None) -> dict[str, Any]:
    """What a maker's pairs depend on, beside what everyone's do; nothing where none is named."""
    drawn = study.block("pairs").model_dump(include={"samples", "temperature"})
    match maker:
        case None:
            return {}
        case "on_policy":
            return {"maker": maker, **drawn}
        case "judge":
            assert study.judge is not None
            return {"maker": maker, **drawn, "judge": study.judge.model_dump()}
        case "votes":
            assert store is not None
            voted = votes(store, prepared.task, prepared.splits.train).pairs
            return {"maker": maker, "votes": [[pair.example_id, pair.chosen, pair.rejected] for pair in voted]}
        case _:
            return {"maker": maker}


def work_on_pairs(
    maker: Maker | None,
    study: Study,
    prepared: Prepared,
    cases: PairCases,
    policy: Policy,
    numerics: Numerics,
    folder: Path,
    *,
    seed: int,
    store: Path | None,
    advance: Advance,
) -> Result:
    """Make the pairs of `cases`, keep them in `folder`, and return what the stage's ledger says of them."""

    def score(text: str, example: Example) -> float:
        return case_score(prepared.task, text, example)

    made = make_pairs(
        maker,
        Request(
            task=prepared.task,
            examples=cases.examples,
            prompts=[one.prompt for one in cases.encoded],
            score=score,
            policy=policy,
            numerics=numerics,
            seed=seed,
            samples=study.block("pairs").samples,
            temperature=study.block("pairs").temperature,
            judge=study.judge,
            judged=folder / "judged.jsonl",
            votes=store,
            advance=advance,
        ),
    )
    (train, found), (validation, _) = (
        look_at(part, cases.examples, prepared.task, score) for part in parted(made.pairs, prepared, maker, seed)
    )
    write_pairs(folder / PAIRS, train, validation)
    trained_on = {example.id for example in cases.examples[: cases.trained_on]}
    with_pair = trained_on & {pair.example_id for pair in (*train, *validation)}
    notes = {
        "pairs": found.makers,
        "without_pair": cases.passed_over + len(trained_on) - len(with_pair),
        "findings": asdict(found) | {"notes": made.notes, "label_ties": made.label_ties},
    }
    return Result(made.cost, notes=notes)
