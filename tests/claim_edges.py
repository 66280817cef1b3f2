"""Results at each edge of what a conclusion needs: one side makes a claim, the other just misses it."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from concluded import GOOD, LABELS, ONE_ANSWER, dangerous
from made_results import ARMS, DELIVERED, WORTH_IT, answered, made
from preceptor.evidence import TANGO
from preceptor.study.spec.arms import Arm

Make = Callable[[], dict[str, Any]]


class Edge(NamedTuple):
    """`claim` is made of the results inside, and not of those outside."""

    claim: str
    inside: Make
    outside: Make


def _pair(claim: str, *values: Any, key: str, pair: str = "sft+dpo/sft", of: Any = None, **other: Any) -> Edge:
    """Two values of one number of a contrast; `beside`: what else stands in it."""
    beside = other.pop("beside", {})
    sides = [partial(made, of, {**other.get("pairs", {}), pair: {**beside, key: value}},
                     **{name: one for name, one in other.items() if name != "pairs"}) for value in values]  # fmt: skip
    return Edge(claim, *sides)


def _p(claim: str, pair: str, **other: Any) -> Edge:
    """The adjusted p-value of a contrast, just below .05 and at it."""
    return _pair(claim, 0.0499, 0.05, key="p", pair=pair, **other)


def _study(claim: str, inside: dict[str, Any], outside: dict[str, Any], **both: Any) -> Edge:
    return Edge(claim, partial(made, **both | inside), partial(made, **both | outside))


def _cells(claim: str, arm: str, key: str, *values: Any, **both: Any) -> Edge:
    return Edge(claim, *(partial(made, **both, cells={arm: {key: value}}) for value in values))


ONE_STAGE = ("base", "sft", "tfidf")
HEAD = (*ONE_STAGE, Arm(name="classifier", stages=("classify",)))
HEAD_BESIDE = (*ARMS, Arm(name="classifier", stages=("classify",), against=("base", "sft+dpo")))
SHOTS = (*ARMS, "base+shots")
BASE = {"base": 0.6, "classifier": 0.6}
"""The base model is as good as all that was trained."""
HIGH = {"base": 0.9, "majority": 0.9, "endpoint": 0.9, "tfidf": 0.9}
"""Where less is better, the others are worse than what was trained."""
OPEN = {"sft+dpo": 0.63}
LONGER = {"sft": 0.6, "sft+dpo": 0.645, "sft+sft": 0.62}
"""DPO is better than SFT by what may matter, and more SFT is as good."""
NARROW = {"half": 0.03, "ci_90": (0.02, 0.07)}
LITTLE_MORE = {
    "sft+dpo/sft": NARROW,
    "sft+sft/sft": {"half": 0.025},
    "sft+dpo/sft+sft": {"half": 0.027, "ci_90": (0.01, 0.0499)},
}
ONE = {"labels": LABELS, "matrix": ONE_ANSWER}
MANY = {"labels": LABELS, "matrix": GOOD}
BOUNDS = (-0.02, 0.0499), (-0.02, 0.0501), (-0.02, 0.05)
WIDE = {"ci": (-0.003, 0.06)}
COUNTED = {"counts": {"both_right": 80, "only_a": 12, "only_b": 3, "neither": 25}}


def views_of(
    view: str, share: float, by_chance: float = 0.0, known: str = "before", arm: str = "sft"
) -> dict[str, Any]:
    """A study of one stage, one arm of which is shown a view."""
    part = {"name": view, "known": known, "words": 20, "label_share": share, "by_chance": by_chance}
    arms = {
        "base": Arm(name="base"),
        "sft": Arm(name="sft", stages=("sft",)),
        "tfidf": Arm(name="tfidf", answer="tfidf"),
    }
    shown = [one.model_copy(update={"view": view}) if name in (arm, "base" if arm == "sft" else arm) else one
             for name, one in arms.items()]  # fmt: skip
    shown[1] = shown[1].model_copy(update={"against": ("base", "tfidf", "majority")})
    return {"arms": [*shown, Arm(name="endpoint", answer="endpoint")], "views": [part]}


EDGES: dict[str, Edge] = {
    # A stage is worth it
    "p": _p("worth it", "sft+dpo/sft", of=WORTH_IT),
    "p of the control": _p("worth it", "sft+dpo/sft+sft", of=WORTH_IT),
    "interval without 0": _pair("worth it", (0.0001, 0.4), (0.0, 0.4), key="ci", of=WORTH_IT, beside={"p": 0.01}),
    "interval of the control without 0": _pair("worth it", (0.0001, 0.4), (0.0, 0.4), key="ci", pair="sft+dpo/sft+sft",
                                               of=WORTH_IT, beside={"p": 0.01}),
    "by no less than matters": _pair("worth it", (0.01, 0.05), (0.01, 0.0499), key="ci_90", of={"sft+dpo": 0.64}),
    "by no less than matters over the control": _pair("worth it", (0.01, 0.05), (0.01, 0.0499), key="ci_90",
                                                      pair="sft+dpo/sft+sft", of={"sft+dpo": 0.64}),
    "better than the base model": _p("worth it", "sft+dpo/base", of=WORTH_IT),
    "more SFT was compared": _study("worth it", {}, {"without": ("sft+dpo/sft+sft",)}, values=WORTH_IT),
    "more SFT did not fail": _study("worth it", {}, {"failed": ("sft+sft",)}, values=WORTH_IT),
    "the base model did not fail": _study("worth it", {}, {"failed": ("base",)}, values=WORTH_IT),
    "sensitivity": _pair("worth it", dangerous(-0.0999), dangerous(-0.1), key="dangerous", of=WORTH_IT),
    "sensitivity at more SFT": _pair("worth it", dangerous(-0.0999), dangerous(-0.1), key="dangerous", of=WORTH_IT,
                                     pair="sft+dpo/sft+sft"),
    "misses more": _pair("misses more", dangerous(-0.2, -0.001), dangerous(-0.2, 0.0), key="dangerous", of=WORTH_IT),
    "a dangerous case": _pair("worth it", dangerous(-0.05), dangerous(-0.05, sensitivity=None), key="dangerous",
                              of=WORTH_IT, beside=COUNTED),
    "few at risk": _pair("worth it", dangerous(-0.09, 0.1, 20), dangerous(-0.12, 0.05, 20), key="dangerous",
                         of=WORTH_IT),
    "half can be read": _cells("worth it", "sft+dpo", "invalid_rate", 0.5, 0.51, values=WORTH_IT),
    "more than one answer": _cells("worth it", "sft+dpo", "confusion", MANY, ONE, values=WORTH_IT),
    "20 patients": _pair("worth it", 20, 19, key="patients", of=WORTH_IT),
    "20 patients who weigh alike": _pair("worth it", 20.0, 19.9, key="effective", of=WORTH_IT),
    "10 of a class": _pair("worth it", 10, 9, key="smallest", of=WORTH_IT),
    "two classes": _pair("worth it", 10, 0, key="smallest", of=WORTH_IT),
    "20 patients who answered": Edge("worth it", partial(answered, 20, 10), partial(answered, 19, 9)),
    "10 of a class who answered": Edge("worth it", partial(answered, 40, 10), partial(answered, 40, 9)),
    "less is better": _study("worth it", {"values": HIGH | {"sft+dpo": 0.2}},
                             {"values": HIGH | {"sft+dpo": 0.8}}, metric="brier"),
    "one stage, p": _p("worth it", "sft/base", arms=ONE_STAGE),
    "one stage, by no less than matters": _pair("worth it", (0.01, 0.05), (0.01, 0.0499), key="ci_90", pair="sft/base",
                                                of={"base": 0.56}, arms=ONE_STAGE),
    "one stage, sensitivity": _pair("worth it", dangerous(-0.0999), dangerous(-0.1), key="dangerous", pair="sft/base",
                                    arms=ONE_STAGE),
    "more than the form": _cells("worth it", "base", "invalid_rate", 0.5, 0.51, arms=ONE_STAGE),
    "more than the form, answered": Edge("worth it", partial(answered, 100, 50, unread=50),
                                         partial(answered, 100, 50, unread=51)),
    "examples beaten": _p("worth it", "sft/base+shots", arms=(*ONE_STAGE, "base+shots"),
                             cells={"base": {"invalid_rate": 0.6}}),
    "form of the answer beside it": _cells("figure of form", "base", "invalid_rate", 0.51, 0.5, values=OPEN,
                                           pairs={"sft+dpo/sft": {"half": 0.1}}),
    "one stage compared": _study("worth it", {}, {"failed": ("sft",)}, arms=ONE_STAGE),
    # What was trained before is enough
    "below the margin": _pair("is enough", *BOUNDS[:2], key="ci_90", of=OPEN, beside=WIDE),
    "at the margin": _pair("is enough", BOUNDS[0], BOUNDS[2], key="ci_90", of=OPEN, beside=WIDE),
    "a margin": _study("is enough", {}, {"margin": None}),
    "10 patients differ": _pair("is enough", 10, 9, key="differing"),
    "9 differ under Tango": _pair("is enough", TANGO, "expanded percentile, patients resampled", key="interval",
                                  beside={"differing": 9}),
    "SFT better than base": _p("is enough", "sft/base"),
    "the control ran": _study("is enough", {}, {"spikes": ()}),
    "the control passed": _study("is enough", {}, {"spikes": ("nothing",)}),
    "all controls passed": _study("is enough", {"spikes": ("preferences", "corrections")},
                                  {"spikes": ("preferences", "open")}),
    "5% of answers changed": _pair("is enough", 0.05, 0.049, key="answers_changed"),
    "5% of answers changed, where better": _pair("is enough", 0.05, 0.049, key="answers_changed", of={"sft+dpo": 0.62},
                                                 beside={"half": 0.019}),
    "changes are known": _pair("is enough", 0.05, None, key="answers_changed"),
    "5 of 100 answers changed": Edge("is enough", partial(answered, 100, 50, changed=5),
                                      partial(answered, 100, 50, changed=4)),
    "more than half of the pairs": _study("is enough", {"delivered": DELIVERED | {"eval_pair_accuracy": 0.501}},
                                          {"delivered": DELIVERED | {"eval_pair_accuracy": 0.5}}),
    "settled": _pair("is enough", *BOUNDS[:2], key="ci_90", pair="sft+sft/sft", beside={"p": 0.3}),
    "settled, and 10 patients differ": _pair("is enough", 10, 9, key="differing", pair="sft+sft/sft"),
    "could have been found": _pair("is enough", 0.0349, 0.0351, key="half"),
    "an interval with width": _pair("is enough", (-0.001, 0.001), (0.0, 0.0), key="ci"),
    "SFT can be read": _cells("is enough", "sft", "invalid_rate", 0.5, 0.51),
    "SFT gives more than one answer": _cells("is enough", "sft", "confusion", MANY, ONE),
    "changes less than matters": _pair("changes less than matters", (-0.0499, 0.02), (-0.0501, 0.02), key="ci_90",
                                       beside={"ci": (-0.03, 0.03)}),
    "may do harm": _pair("adds nothing that matters and may do harm", (-0.06, -0.0001), (-0.06, 0.0), key="ci",
                         of={"sft+dpo": 0.57}, beside={"p": 0.3}),
    "may do harm, less is better": _pair("adds nothing that matters and may do harm", (0.0001, 0.06), (0.0, 0.06),
                                         key="ci", metric="brier", of=HIGH | {"sft+dpo": 0.63}, beside={"p": 0.3}),
    # More SFT is enough
    "more SFT below the margin": _pair("is enough", (0.01, 0.0499), (0.01, 0.0501), key="ci_90", pair="sft+dpo/sft+sft",
                                       of=LONGER, beside={"half": 0.027}, pairs=LITTLE_MORE),
    "more SFT, the control ran": _study("is enough", {}, {"spikes": ()}, values=LONGER, pairs=LITTLE_MORE),
    "more SFT, delivered": _pair("is enough", 0.05, 0.049, key="answers_changed", of=LONGER, beside=NARROW,
                                 pairs=LITTLE_MORE),
    "more SFT, settled": _pair("is enough", (0.0, 0.0499), (0.0, 0.0501), key="ci_90", pair="sft+sft/sft", of=LONGER,
                               beside={"half": 0.025}, pairs=LITTLE_MORE),
    "more SFT, could have been found": _pair("is enough", 0.0349, 0.0351, key="half", pair="sft+dpo/sft+sft", of=LONGER,
                                             beside={"ci_90": (0.01, 0.0499)}, pairs=LITTLE_MORE),
    # It could not be said
    "not delivered": _pair("not delivered", 0.049, 0.05, key="answers_changed", of=OPEN, beside={"half": 0.1}),
    "not delivered, and not better": _pair("not delivered", 0.05, 0.0499, key="p", of=WORTH_IT,
                                           beside={"answers_changed": 0.0}),
    "pairs in the wrong order": _study("not delivered", {"delivered": DELIVERED | {"eval_pair_accuracy": 0.5}},
                                       {"delivered": DELIVERED | {"eval_pair_accuracy": 0.501}}),
    "could not have seen, below the margin": _pair("could not have seen", *BOUNDS[:2], key="ci_90", of=OPEN,
                                                   beside=WIDE, spikes=()),
    "had not settled": _p("had not settled", "sft+sft/sft", of={"sft+sft": 0.7},
                             pairs={"sft+dpo/sft+sft": {"p": 0.3}}),
    "had not settled, interval": _pair("had not settled", (0.0001, 0.2), (0.0, 0.2), key="ci", pair="sft+sft/sft",
                                       of={"sft+sft": 0.7}, beside={"p": 0.01}, pairs={"sft+dpo/sft+sft": {"p": 0.3}}),
    "had not settled, DPO not better": _pair("had not settled", 0.05, 0.0499, key="p",
                                             of={"sft+sft": 0.8, "sft+dpo": 0.8}),
    "not enough cases": _pair("patients needed", 0.036, 0.033, key="half", of=OPEN,
                              beside={"ci": (-0.01, 0.07), "ci_90": (-0.005, 0.065)}),
    "not enough cases, a margin": _study("patients needed", {}, {"margin": None}, pairs={"sft+dpo/sft": {"half": 0.2}}),
    "not enough cases over the control": _pair("not enough cases", 0.05, 0.0499, key="p", pair="sft+dpo/sft+sft",
                                               of=WORTH_IT, beside={"half": 0.15}),
    # Harm
    "harm": _p("harms", "sft+dpo/sft", of={"sft+dpo": 0.5}),
    "harm, interval": _pair("harms", (-0.2, -0.0001), (-0.2, 0.0), key="ci", of={"sft+dpo": 0.5}, beside={"p": 0.01}),
    "harm, less is better": _pair("harms", (0.0001, 0.2), (0.0, 0.2), key="ci", of=HIGH | {"sft+dpo": 0.7},
                                  beside={"p": 0.01}, metric="brier"),
    "harm beside a simpler way": _p("harm beside it", "sft+dpo/sft", of={"sft+dpo": 0.5, "tfidf": 0.7}),
    # The base model is enough
    "base below the margin": _pair("base is enough", *BOUNDS[:2], key="ci_90", pair="sft/base", of=BASE),
    "base below the margin of DPO": _pair("base is enough", *BOUNDS[:2], key="ci_90", pair="sft+dpo/base", of=BASE),
    "base, 10 differ": _pair("base is enough", 10, 9, key="differing", pair="sft/base", of=BASE),
    "base, a margin": _study("base is enough", {}, {"margin": None}, values=BASE),
    "base can be read": _cells("base is enough", "base", "invalid_rate", 0.5, 0.51, values=BASE),
    "base gives more than one answer": _cells("base is enough", "base", "confusion", MANY, ONE, values=BASE),
    "base, and a classifier adds nothing": _pair("base is enough", 0.05, 0.0499, key="p", pair="classifier/base",
                                                 of=BASE | {"classifier": 0.8}, arms=HEAD),
    "base, and a classifier adds less than matters": _pair("base is enough", *BOUNDS[:2], key="ci_90", arms=HEAD,
                                                           pair="classifier/base", of=BASE | {"classifier": 0.63},
                                                           beside={"ci": (0.01, 0.06)}),
    "base, and a classifier adds nothing beside DPO": _pair(
        "base is enough", 0.05, 0.0499, key="p", pair="classifier/base", of=BASE | {"classifier": 0.8},
        arms=HEAD_BESIDE,
        pairs={"classifier/sft+dpo": {"p": 0.3}}),
    "base, and more SFT adds nothing": _pair("base is enough", 0.05, 0.0499, key="p", pair="sft+sft/sft",
                                             of=BASE | {"sft+sft": 0.7}, pairs={"sft+dpo/sft+sft": {"p": 0.3}}),
    # Something else is better
    "a simpler way": _p("simpler and better", "sft+dpo/tfidf", of={"tfidf": 0.7}),
    "a simpler way, interval": _pair("simpler and better", (-0.2, -0.0001), (-0.2, 0.0), key="ci", pair="sft+dpo/tfidf",
                                     of={"tfidf": 0.7}, beside={"p": 0.01}),
    "the majority answer": _p("simpler and better", "sft+dpo/majority", of={"majority": 0.7}),
    "better than the best": _study("simpler and better", {"values": {"tfidf": 0.7, "sft": 0.599}},
                                   {"values": {"tfidf": 0.7, "sft": 0.601}}, pairs={"sft/tfidf": {"p": 0.3}}),
    "a classifier beside models that write": _p("simpler and better", "classifier/sft+dpo",
                                                   of={"classifier": 0.8}, arms=HEAD_BESIDE),
    "more SFT better than DPO": _p("simpler and better", "sft+dpo/sft+sft",
                                      of={"sft+sft": 0.7}),
    "had not settled beside it": _p("had not settled beside it", "sft+sft/sft",
                                       of={"sft+sft": 0.7}),
    "a simpler way known in time": _study("simpler and better", views_of("codes", 0.1, known="before", arm="tfidf"),
                                          views_of("codes", 0.1, known="after", arm="tfidf"), values={"tfidf": 0.9}),
    "a quarter holds the label": _study("best names the answer", views_of("keywords", 0.25),
                                        views_of("keywords", 0.249)),
    "a quarter beyond chance": _study("best names the answer", views_of("keywords", 0.401, 0.2),
                                      views_of("keywords", 0.399, 0.2)),
    "the best is shown it": _study("best names the answer", {"values": {"tfidf": 0.599}}, {"values": {"tfidf": 0.601}},
                                   **views_of("keywords", 1.0, 0.2), pairs={"sft/tfidf": {"p": 0.3}}),
    "the lowest is the best": _study("best names the answer", {"values": HIGH | {"tfidf": 0.601}},
                                     {"values": HIGH | {"tfidf": 0.599}}, **views_of("keywords", 1.0, 0.2),
                                     metric="brier", pairs={"sft/tfidf": {"p": 0.3}}),
    # How many seeds
    "five seeds": _study("speaks of the method", {"seeds": 5}, {"seeds": 4}, values=WORTH_IT),
    "five seeds of the control": _study("speaks of the method", {"seeds": 5}, {"seeds": {"all": 5, "sft+sft": 4}},
                                        values=WORTH_IT),
    "five seeds of more SFT alone": _study(
        "speaks of the method", {"seeds": 5}, {"seeds": {"all": 5, "sft+sft": 4}}, values={"sft+sft": 0.7},
        without=("sft+dpo/sft+sft",)),
    "five seeds of examples": _study("speaks of the method", {"seeds": 5}, {"seeds": {"all": 5, "base+shots": 4}},
                                     values={"base+shots": 0.6}, arms=SHOTS),
    "five seeds of SFT below a base that is enough": _study(
        "speaks of the method", {"seeds": 5}, {"seeds": {"all": 5, "base+shots": 4}}, arms=SHOTS,
        values={"base+shots": 0.6},
        cells={"base+shots": {"invalid_rate": 0.6}}),
    "five seeds of a simpler way": _study("speaks of the method", {"seeds": 5}, {"seeds": {"all": 5, "classifier": 4}},
                                          values={"classifier": 0.8}, arms=HEAD_BESIDE),
    "five seeds of what leaks": _study("speaks of the method", {"seeds": 5}, {"seeds": {"all": 5, "tfidf": 4}},
                                       **views_of("keywords", 1.0, 0.2)),
    # What is advised
    "three seeds": _study("pilot silently", {"seeds": 3}, {"seeds": 2}, values=WORTH_IT),
    "three seeds of SFT": _study("pilot silently", {"seeds": 3}, {"seeds": 2}),
    "three seeds of more SFT": _study("pilot silently", {"seeds": 3}, {"seeds": 2}, values=LONGER, pairs=LITTLE_MORE),
    "5% cannot be read": _cells("pilot silently", "sft+dpo", "invalid_rate", 0.0499, 0.051, values=WORTH_IT),
    "TF-IDF beaten": _p("pilot silently", "sft+dpo/tfidf", of=WORTH_IT),
    "the commonest answer beaten": _p("pilot silently", "sft+dpo/majority", of=WORTH_IT),
    "TF-IDF did not fail": _study("pilot silently", {}, {"failed": ("tfidf",)}, values=WORTH_IT),
    "a simpler way was tested": _study("pilot silently", {"without": ("sft+dpo/majority",)},
                                       {"without": ("sft+dpo/majority", "sft+dpo/tfidf")}, values=WORTH_IT),
    "real cases": _study("pilot silently", {}, {"synthetic": True}, values=WORTH_IT),
    "the first look": _study("pilot silently", {"looks": 1}, {"looks": 2}, values=WORTH_IT),
    "nothing leaked": _study("pilot silently", {}, {"leakage": ["1 test case nearly repeats"]}, values=WORTH_IT),
    "known before the decision": _study("pilot silently", views_of("codes", 0.1),
                                       views_of("codes", 0.1, known="after")),
    "not shown the answer": _study("pilot silently", views_of("codes", 0.249), views_of("codes", 0.25),
                                   values={"endpoint": 0.7}),
    "no error on purpose": _study("pilot silently", {}, {"spike": {"text": " x", "share": 0.3, "phrase": "x",
                                                                   "metric": "unwanted_phrase"}}, arms=ONE_STAGE),
}  # fmt: skip
"""What decides -> its edge."""
OTHERS: list[Make] = [
    partial(made, arms=("base", "tfidf")),
    partial(made, WORTH_IT, arms=("base", "sft", "sft+dpo", "tfidf")),
]
"""What has no edge: a study that compares nothing, and one that trains SFT no longer."""
