"""Can an effect of preferences be seen? Controls whose answer is known: `python -m benchmarks.controls [--json]`

PC1, "copied forward": in a random 70% of the training summaries the follow-up line ends with an item that nothing in
the course calls for, as when last year's letter is copied. SFT cannot learn to leave it out, since its examples hold
it. Preference pairs differ in nothing else: chosen is the summary without the item, rejected the one with it. From one
SFT policy, each arm is trained on, and asked of stays that were held out how likely it finds the item: of the two
summaries, the share of the probability that the one with the item has.

An arm of "sft+chosen" learns the chosen answers alone, by SFT, in as many steps: what it achieves was in the corrected
examples, and only what DPO achieves beyond it is due to the preference. Pairs turned round must raise what pairs as
given lower, and pairs turned by a coin must leave it where it was: otherwise training moved it, and no preference did.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.console import Console
from statsmodels.stats.weightstats import DescrStatsW

from preceptor.data import fit
from preceptor.engine import (
    DPOSettings,
    EncodedPair,
    Numerics,
    SFTSettings,
    Stage,
    answer_logprobs,
    choose_numerics,
    run_dpo,
    run_sft,
    shares_prefixes,
)
from preceptor.models import (
    EMBEDDED,
    AdapterSettings,
    Encoded,
    ModelSource,
    Policy,
    fetch_embedded,
    find_model,
    load_policy,
    load_tokenizer,
    new_policy,
    save_policy,
)
from preceptor.progress import progress
from preceptor.study import load_study
from preceptor.study.cases import TaskCases, read_task
from preceptor.tasks import Example

ITEM = "; blood test in 1 week"
SHARE = 0.7
SEED = 0
CASES_SEED = 101
"""Of stays that no study has."""

SFT = SFTSettings(learning_rate=1e-3, epochs=1, batch_size=4, warmup_steps=3, looks_per_epoch=2)
BEFORE = DPOSettings(learning_rate=5e-5, epochs=1, batch_size=8, warmup_steps=0, beta=0.3, sft_weight=1.0)
"""The settings of the studies that never saw an effect: four steps."""
DPO = DPOSettings(learning_rate=2e-4, epochs=2, batch_size=4, warmup_steps=2, beta=0.1, sft_weight=0.0)
WITH_SFT_TERM = DPO.model_copy(update={"sft_weight": 0.3})
CORRECTED = SFT.model_copy(update={"learning_rate": 5e-4, "epochs": 2, "warmup_steps": 2, "looks_per_epoch": 1})
"""SFT on the chosen answers: DPO's batches and steps, at half the rate of the SFT before it."""

Train = Callable[[Policy, Path], Stage]


@dataclass(frozen=True)
class Sizes:
    """How many stays are learned from, how many of these are corrected, and so on; `context` in tokens."""

    train: int = 80
    corrected: int = 32
    validation: int = 16
    held_out: int = 100
    context: int = 384


@dataclass(frozen=True)
class Row:
    """What an arm came to: the mean probability of the invented item over held-out stays, with its 95% interval.

    steps, dose: optimizer steps, and the sum of their learning rates. bound: what the upper or lower end of the
    interval must keep to; None where nothing is asked.
    """

    arm: str
    probability: float
    low: float
    high: float
    steps: int
    dose: float
    seconds: float
    bound: str | None = None
    holds: bool | None = None


@dataclass(frozen=True)
class Stays:
    """Summaries as token ids. held_out: of each stay the summary without the item, and the one with it."""

    train: list[Encoded]
    validation: list[Encoded]
    corrections: list[EncodedPair]
    validation_without_item: list[Encoded]
    held_out: list[tuple[Encoded, Encoded]]


def main() -> None:
    """Train, ask and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    asked = parser.parse_args()
    fetch_embedded()
    numerics = choose_numerics(load_study("quickstart")[0].numerics)
    torch.set_num_threads(numerics.threads)
    rows = []
    for row in copied_forward(find_model(EMBEDDED), numerics):
        rows.append(row)
        if not asked.json:
            verdict = "" if row.holds is None else f"  {row.bound}: {'holds' if row.holds else 'FAILS'}"
            print(f"{row.arm:34} {row.probability:.3f} [{row.low:.3f}, {row.high:.3f}]  {row.steps:3} steps, dose "
                  f"{row.dose:.1e}, {row.seconds:4.0f} s{verdict}", flush=True)  # fmt: skip
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))


def copied_forward(source: ModelSource, numerics: Numerics, sizes: Sizes = Sizes()) -> Iterator[Row]:
    """PC1: a row for SFT and for each arm that goes on from it."""
    stays = draw(source, sizes)
    turned = [EncodedPair(one.prompt, one.rejected, one.chosen) for one in stays.corrections]
    coin = random.Random(SEED)
    by_coin = [coin.choice(both) for both in zip(stays.corrections, turned, strict=True)]
    chosen = [Encoded(one.prompt, one.chosen) for one in stays.corrections]
    with tempfile.TemporaryDirectory() as kept:
        start = Path(kept) / "sft"
        policy = new_policy(source, AdapterSettings(), seed=SEED, dtype=numerics.torch_dtype)
        stage = _sft(stays.train, stays.validation, SFT, numerics)(policy, Path(kept) / "first")
        save_policy(policy, start)
        sft = _row("SFT", policy, stage, stays)
        yield sft

        def row(arm: str, train: Train) -> Row:
            policy = load_policy(source, start, dtype=numerics.torch_dtype, trainable=True)
            return _row(arm, policy, train(policy, Path(kept) / arm), stays)

        before = row("SFT+DPO, settings of before", _dpo(stays.corrections, BEFORE, numerics))
        yield _bounded(before, "upper bound under .35", before.high < 0.35)
        given = row("SFT+DPO", _dpo(stays.corrections, DPO, numerics))
        yield _bounded(given, "upper bound under .35", given.high < 0.35)
        yield row("SFT+DPO, SFT term of .3", _dpo(stays.corrections, WITH_SFT_TERM, numerics))
        flipped = row("SFT+DPO, pairs turned round", _dpo(turned, DPO, numerics))
        yield _bounded(flipped, "lower bound over .8", flipped.low > 0.8)
        drawn = row("SFT+DPO, pairs turned by a coin", _dpo(by_coin, DPO, numerics))
        yield _bounded(drawn, "within .2 of SFT", abs(drawn.probability - sft.probability) < 0.2)
        yield row("SFT+SFT on the chosen answers", _sft(chosen, stays.validation_without_item, CORRECTED, numerics))
        # As many steps again of the archive. FLOPs alike would be fewer of them, since a pair has two answers.
        more = row(
            "SFT+SFT on the archive", _sft(stays.train[: sizes.corrected], stays.validation, CORRECTED, numerics)
        )
        yield _bounded(more, "within .2 of SFT", abs(more.probability - sft.probability) < 0.2)


def draw(source: ModelSource, sizes: Sizes) -> Stays:
    """Built-in stays of the summarization task, other than those of any study."""
    study, base = load_study("quickstart")
    (entry,) = (one for one in study.tasks if one.task == "summarization")
    data = entry.data.model_copy(update={"seed": CASES_SEED, "spike": None})
    cases = read_task(entry.model_copy(update={"limit": {}, "data": data}), study, base)
    tokenizer, rng = load_tokenizer(source), random.Random(SEED)

    def encoded(example: Example, answer: str) -> Encoded:
        return fit(cases.task, example, tokenizer, sizes.context, answer).encoded

    def pair(example: Example) -> EncodedPair:
        without, with_item = encoded(example, example.target), encoded(example, example.target + ITEM)
        return EncodedPair(without.prompt, without.answer, with_item.answer)

    def archive(examples: Sequence[Example]) -> list[Encoded]:
        return [encoded(one, one.target + ITEM * (rng.random() < SHARE)) for one in examples]

    train, validation = cases.splits.train[: sizes.train], cases.splits.validation[: sizes.validation]
    return Stays(
        archive(train),
        archive(validation),
        [pair(one) for one in train[: sizes.corrected]],
        [encoded(one, one.target) for one in validation],
        [
            (encoded(one, one.target), encoded(one, one.target + ITEM))
            for one in _one_a_patient(cases)[: sizes.held_out]
        ],
    )


def _one_a_patient(cases: TaskCases) -> list[Example]:
    return list({one.group: one for one in reversed(cases.splits.test)}.values())


def _sft(train: Sequence[Encoded], validation: Sequence[Encoded], settings: SFTSettings, numerics: Numerics) -> Train:
    return lambda policy, folder: run_sft(policy, train, validation, settings, numerics, folder, seed=SEED)


def _dpo(pairs: Sequence[EncodedPair], settings: DPOSettings, numerics: Numerics) -> Train:
    """Without validation pairs, so that it ends with its last weights: the best of a control are the least changed."""
    return lambda policy, folder: run_dpo(policy, pairs, [], settings, numerics, folder, seed=SEED)


def _row(arm: str, policy: Policy, stage: Stage, stays: Stays) -> Row:
    mean = DescrStatsW(_probabilities(policy, stays.held_out))
    low, high = mean.tconfint_mean()
    rates = [row["learning_rate"] for row in stage.history if "learning_rate" in row]
    return Row(arm, float(mean.mean), float(low), float(high), len(rates), sum(rates), stage.cost.seconds)


def _bounded(row: Row, bound: str, holds: bool) -> Row:
    return Row(**asdict(row) | {"bound": bound, "holds": holds})


@torch.no_grad()
def _probabilities(policy: Policy, held_out: Sequence[tuple[Encoded, Encoded]]) -> list[float]:
    """Of the two summaries of each stay, the share of the probability that the one with the item has."""
    share, found = shares_prefixes(policy), []
    with progress("Held-out stays", len(held_out), Console(stderr=True)) as advance:
        for both in held_out:
            without, with_item = answer_logprobs(policy.model, both, share=share)
            found.append(float(torch.sigmoid(with_item.double().sum() - without.double().sum())))
            advance()
    return found


if __name__ == "__main__":
    main()
