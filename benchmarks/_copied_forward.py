"""PC1, "copied forward", and how its effect depends on the dose of DPO.

In a random 70% of the training summaries the follow-up line ends with an item that nothing in the course calls for, as
when last year's letter is copied. SFT cannot learn to leave it out, since its examples hold it. Preference pairs differ
in nothing else: chosen is the summary without the item, rejected the one with it. From one SFT policy, each arm is
trained on, and asked of stays that were held out how likely it finds the item: of the two summaries, the share of the
probability that the one with the item has.

What an arm writes is judged beside: a policy that finds the item unlikely because it finds every long summary unlikely
has lost the facts with it, and fact-F1 against the right summary says so.

An arm of "SFT on the chosen answers" learns these alone, in as many steps: what it achieves was in the corrected
examples, and only what DPO achieves beyond it is due to the preference. Pairs turned round must raise what pairs as
given lower, and pairs of which half are turned round, half of every batch, must leave it where it was: otherwise
training moved it, and no preference did.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from scipy.stats import page_trend_test

from benchmarks._control_arms import SEED, Arms, Row, request, row
from preceptor.data import fit
from preceptor.engine import (
    DPOSettings,
    EncodedPair,
    SFTSettings,
    Stage,
    answer_logprobs,
    schedule,
    shares_prefixes,
    split_into_trees,
)
from preceptor.models import Encoded, Policy, load_tokenizer
from preceptor.preferences.makers._answers import greedy_answers, sampled_answers
from preceptor.study.cases import TaskCases, read_task
from preceptor.study.score import case_score
from preceptor.study.spec.file import make_study
from preceptor.tasks import Example

ITEM = "; blood test in 1 week"
SHARE = 0.7
CASES_SEED = 101
"""Of stays that no study has."""

SFT = SFTSettings(learning_rate=1e-3, epochs=1, batch_size=4, warmup_steps=3, looks_per_epoch=2)
BEFORE = DPOSettings(learning_rate=5e-5, epochs=1, batch_size=8, warmup_steps=0, beta=0.3, sft_weight=1.0)
"""The settings of the studies that never saw an effect: four steps."""
DPO = DPOSettings(learning_rate=5e-5, epochs=2, batch_size=4, warmup_steps=2, beta=0.1, sft_weight=0.0)
FASTER = DPO.model_copy(update={"learning_rate": 2e-4})
"""At this rate the item goes, and most of each summary with it."""
SFT_TERM = 0.3
CORRECTED = SFT.model_copy(update={"learning_rate": 5e-4, "epochs": 2, "warmup_steps": 2, "looks_per_epoch": 1})
"""SFT on the chosen answers: DPO's batches and steps, at half the rate of the SFT before it."""

PAIRS = (4, 12, 24, 48)
BETAS = (0.03, 0.5)
RATES = (2.5e-5, 1e-4, 4e-4)
"""What is tried beside `DPO`'s own settings."""

TOKENS_PER_TREE = 1536
ITEM_ROW = ("invented item", "probability")


@dataclass(frozen=True)
class Sizes:
    """How many stays are learned from, how many of these are corrected, and so on; `context` in tokens."""

    train: int = 80
    corrected: int = 32
    validation: int = 16
    held_out: int = 100
    drawn: int = 24
    written: int = 24
    context: int = 384


@dataclass(frozen=True)
class Stays:
    """Summaries as token ids. corrections: of every training stay. held_out: of each the summary without the item, and
    the one with it.
    """

    train: list[Encoded]
    validation: list[Encoded]
    corrections: list[EncodedPair]
    validation_without_item: list[Encoded]
    held_out: list[tuple[Encoded, Encoded]]


@dataclass(frozen=True)
class Archive:
    """The SFT policy that learned from an archive with the item in it; trained when it is first asked for."""

    arms: Arms
    sizes: Sizes = Sizes()

    @cached_property
    def cases(self) -> TaskCases:
        """Built-in stays of the summarization task, other than those of any study."""
        raw = {
            "name": "copied-forward",
            "tasks": [{"task": "summarization", "data": {"cases": 3000, "seed": CASES_SEED}}],
        }
        study = make_study(raw, "copied forward")
        return read_task(study.tasks[0], study, self.arms.folder)

    @cached_property
    def stays(self) -> Stays:
        """Its summaries."""
        return draw(self)

    @cached_property
    def sft(self) -> Row:
        """What SFT on the archive came to; its policy is saved as `archive`."""
        train = self.arms.sft(self.stays.train, self.stays.validation, SFT)
        policy, stage = self.arms.first("archive", train)
        return row(ITEM_ROW[0], "SFT", probabilities(policy, self.stays.held_out), ITEM_ROW[1], stage)

    @cached_property
    def drawn(self) -> tuple[list[Encoded], list[float]]:
        """An answer drawn from the SFT policy for each of the first held-out stays, and its log-probability in nats."""
        _ = self.sft
        policy, examples = self.arms.saved("archive"), one_a_patient(self.cases)[: self.sizes.drawn]
        texts = sampled_answers(request(self.arms, policy, self.cases.task, examples, self.sizes.context, samples=1))[0]
        answers = [
            fit(self.cases.task, example, policy.tokenizer, self.sizes.context, text).encoded
            for example, (text,) in zip(examples, texts, strict=True)
        ]
        return answers, logprobs(policy, answers)

    def after(self, case: str, pairs: Sequence[EncodedPair], settings: DPOSettings) -> tuple[Policy, Stage]:
        """DPO from there."""
        _ = self.sft
        return self.arms.after("archive", case, self.arms.dpo(pairs, settings))


def copied_forward(archive: Archive) -> Iterator[Row]:
    """A row for SFT and for each arm that goes on from it; of those that matter most, rows of what they write too."""
    stays, sizes, sft = archive.stays, archive.sizes, archive.sft
    yield sft
    yield from written(archive, "SFT", archive.arms.saved("archive"))
    given = stays.corrections[: sizes.corrected]
    turned = [EncodedPair(one.prompt, one.rejected, one.chosen) for one in given]
    half = half_of_each(schedule(len(given), DPO.batch_size, DPO.epochs, SEED))
    half_turned = [turned[at] if at in half else one for at, one in enumerate(given)]

    def preferred(case: str, pairs: Sequence[EncodedPair], settings: DPOSettings) -> Row:
        return item_row(archive, case, *archive.after(case, pairs, settings))

    before = preferred("SFT+DPO, settings of before", given, BEFORE)
    yield before.must("too small a dose: upper bound over .35", before.high >= 0.35)
    with_term = DPO.model_copy(update={"sft_weight": SFT_TERM})
    faster = f"SFT+DPO at {FASTER.learning_rate:g}"
    for case, settings in (("SFT+DPO", DPO), (f"SFT+DPO, SFT term of {SFT_TERM}", with_term), (faster, FASTER)):
        policy, stage = archive.after(case, given, settings)
        found = item_row(archive, case, policy, stage)
        yield found.must("upper bound under .35", found.high < 0.35)
        yield from written(archive, case, policy, stage)
    found = preferred("SFT+DPO, pairs turned round", turned, DPO)
    yield found.must("lower bound over .8", found.low > 0.8)
    found = preferred("SFT+DPO, half of the pairs turned round", half_turned, DPO)
    yield found.must("within .2 of SFT", abs(found.ours - sft.ours) < 0.2)
    chosen = [Encoded(one.prompt, one.chosen) for one in given]
    case, learn = "SFT+SFT on the chosen answers", archive.arms.sft(chosen, stays.validation_without_item, CORRECTED)
    policy, stage = archive.arms.after("archive", case, learn)
    yield item_row(archive, case, policy, stage)
    yield from written(archive, case, policy, stage)
    # As many steps again of the archive. FLOPs alike would be fewer of them, since a pair has two answers.
    case, again = "SFT+SFT on the archive", stays.train[: sizes.corrected]
    found = item_row(
        archive, case, *archive.arms.after("archive", case, archive.arms.sft(again, stays.validation, CORRECTED))
    )
    yield found.must("within .2 of SFT", abs(found.ours - sft.ours) < 0.2)


def half_of_each(batches: Sequence[Sequence[int]]) -> set[int]:
    """Pairs to turn round so that of each batch half are, the smaller half where it is odd.

    Where the first batches hold only pairs as given and later ones only turned ones, the rate of learning decides which
    way the item goes, and the control tests the order. Searched in depth; a first epoch alone always has a solution.

    Raises ValueError when later epochs leave none.
    """

    def search(number: int, turned: dict[int, bool]) -> dict[int, bool] | None:
        if number == len(batches):
            return turned
        open_places = [place for place in batches[number] if place not in turned]
        lacking = len(batches[number]) // 2 - sum(turned.get(place, False) for place in batches[number])
        for chosen in combinations(open_places, lacking) if lacking >= 0 else ():
            if found := search(number + 1, turned | {place: place in chosen for place in open_places}):
                return found
        return None

    found = search(0, {})
    if found is None:
        raise ValueError("no half of the pairs is half of every batch")
    return {place for place, turned in found.items() if turned}


def dose_response(archive: Archive) -> Iterator[Row]:
    """More pairs lower the item step by step; with a larger beta the policy stays nearer to its reference."""
    stays = archive.stays
    by_pairs = [probabilities(archive.arms.saved("archive"), stays.held_out)] if archive.sft else []
    for count in PAIRS:
        case = f"SFT+DPO, {count} pairs"
        policy, stage = archive.after(case, stays.corrections[:count], DPO)
        by_pairs.append(probabilities(policy, stays.held_out))
        yield item_row(archive, case, policy, stage, by_pairs[-1])
    trend = page_trend_test(np.column_stack(by_pairs), predicted_ranks=range(len(by_pairs), 0, -1))
    p = float(trend.pvalue)
    yield Row("invented item", f"trend over 0, {', '.join(map(str, PAIRS))} pairs (Page)", p, p, p, "p").must(
        "p below .001", p < 0.001
    )
    moved = {}
    for beta in sorted({*BETAS, DPO.beta}):
        case = f"SFT+DPO, beta {beta:g}"
        policy, stage = archive.after(
            case, stays.corrections[: archive.sizes.corrected], DPO.model_copy(update={"beta": beta})
        )
        yield item_row(archive, case, policy, stage)
        found = row("KL to the SFT policy", case, divergence(archive, policy), "nats an answer", stage)
        if moved:
            found = found.must("below that of the smaller beta", found.ours < min(moved.values()))
        moved[beta] = found.ours
        yield found
    for rate in RATES:
        case = f"SFT+DPO, learning rate {rate:g}"
        settings = DPO.model_copy(update={"learning_rate": rate})
        policy, stage = archive.after(case, stays.corrections[: archive.sizes.corrected], settings)
        yield item_row(archive, case, policy, stage)
        yield row("KL to the SFT policy", case, divergence(archive, policy), "nats an answer", stage)


def item_row(archive: Archive, case: str, policy: Policy, stage: Stage, found: Sequence[float] | None = None) -> Row:
    """How likely a policy finds the item, beside the SFT policy."""
    values = probabilities(policy, archive.stays.held_out) if found is None else found
    made = row(ITEM_ROW[0], case, values, ITEM_ROW[1], stage)
    return Row(**vars(made) | {"peer": archive.sft.ours})


def written(archive: Archive, case: str, policy: Policy, stage: Stage | None = None) -> Iterator[Row]:
    """Rows of what a policy writes to the first held-out stays by greedy generation: its facts, and the item."""
    task, examples = archive.cases.task, one_a_patient(archive.cases)[: archive.sizes.written]
    texts, _ = greedy_answers(request(archive.arms, policy, task, examples, archive.sizes.context))
    facts = [case_score(task, text, one) for text, one in zip(texts, examples, strict=True)]
    yield row("fact-F1 of answers", case, facts, "fact-F1", stage)
    yield row("answers with the item", case, [float(ITEM.strip("; ") in text) for text in texts], "share", stage)


def draw(archive: Archive) -> Stays:
    """The archive's summaries, with the item in a share of them; held-out stays are one a patient."""
    cases, sizes, rng = archive.cases, archive.sizes, random.Random(SEED)
    tokenizer = load_tokenizer(archive.arms.source)

    def encoded(example: Example, answer: str) -> Encoded:
        return fit(cases.task, example, tokenizer, sizes.context, answer).encoded

    def both(example: Example) -> tuple[Encoded, Encoded]:
        return encoded(example, example.target), encoded(example, example.target + ITEM)

    def pair(example: Example) -> EncodedPair:
        without, with_item = both(example)
        return EncodedPair(without.prompt, without.answer, with_item.answer)

    def copied(examples: Sequence[Example]) -> list[Encoded]:
        return [encoded(one, one.target + ITEM * (rng.random() < SHARE)) for one in examples]

    train, validation = cases.splits.train[: sizes.train], cases.splits.validation[: sizes.validation]
    return Stays(
        copied(train),
        copied(validation),
        [pair(one) for one in train],
        [encoded(one, one.target) for one in validation],
        [both(one) for one in one_a_patient(cases)[: sizes.held_out]],
    )


def one_a_patient(cases: TaskCases) -> list[Example]:
    """The first held-out case of each patient."""
    return list({one.group: one for one in reversed(cases.splits.test)}.values())


def probabilities(policy: Policy, held_out: Sequence[tuple[Encoded, Encoded]]) -> list[float]:
    """Of the two summaries of each stay, the share of the probability that the one with the item has."""
    found = torch.tensor(logprobs(policy, [one for both in held_out for one in both])).reshape(-1, 2)
    return torch.sigmoid(found[:, 1] - found[:, 0]).tolist()


@torch.no_grad()
def logprobs(policy: Policy, answers: Sequence[Encoded]) -> list[float]:
    """Of each whole answer, in nats."""
    share, found = shares_prefixes(policy), []
    for tree in split_into_trees(answers, lambda one: [one.prompt + one.answer], TOKENS_PER_TREE):
        found += [float(one.double().sum()) for one in answer_logprobs(policy.model, tree, share=share)]
    return found


def divergence(archive: Archive, policy: Policy) -> list[float]:
    """How much less likely a policy finds each of the SFT policy's own answers than that one does, in nats an answer.

    The answers are drawn from the SFT policy, so their mean estimates KL(SFT || policy) without bias.
    """
    answers, own = archive.drawn
    return [before - now for before, now in zip(own, logprobs(policy, answers), strict=True)]
