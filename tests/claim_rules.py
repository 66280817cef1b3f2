"""Rules of what may be said of the numbers of a task, for the wordings of tests/claim_wordings.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from claims_allowed import Allowed

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Said:
    """One piece of a sentence, matched by its wording; arms as the study names them."""

    numbers: Allowed
    names: Mapping[str, str]
    groups: Mapping[str, str | None]

    def arm(self, group: str) -> str:
        return self.names[self.groups[group] or ""]

    def number(self, group: str) -> float | None:
        found = self.groups.get(group)
        return None if found is None else float(found.replace(MINUS, "-"))

    @cached_property
    def question(self) -> Any:
        found = self.numbers.question
        if found is None:
            raise LookupError("the study asks nothing, or what it asks failed")
        return found

    @property
    def about(self) -> Any:
        """The contrast that a wording on `what` is about: the question, or the treatment with its control."""
        longer = "for the same compute" in (self.groups.get("what") or self.groups.get("longer") or "")
        return self.numbers.contrasts[self.question["a"], self.numbers.control or ""] if longer else self.question


def close(told: float | None, found: float | None, digits: int = 2) -> bool:
    return told is not None and found is not None and abs(told - found) <= 0.5 * 10**-digits + 1e-9


def same_side(told: float | None, found: float | None, threshold: float | None) -> bool:
    """Whether a number is told as it is, and never on another side of a threshold."""
    if told is None or found is None or threshold is None:
        return close(told, found)
    return close(told, found) and (told < threshold, told > threshold) == (found < threshold, found > threshold)


def figure(said: Said) -> bool:
    """The contrast's own numbers, in favour of an arm only where its value is the better one."""
    one = said.numbers.contrasts.get((said.arm("x"), said.arm("y")))
    if one is None:
        return False
    ends = [close(said.number(end), found) for end, found in zip(("low", "high"), one["ci"], strict=True)]
    less = one["metric"] in ("brier",)
    favours = one["delta"] < 0 if less else one["delta"] > 0
    return (
        close(said.number("delta"), one["delta"]) and all(ends) and (said.groups["over"] == "over") <= favours
        and bool(said.groups["less"]) == less
    )  # fmt: skip


def below_the_margin(said: Said) -> bool:
    """The margin is named, and the bound that lies below it."""
    one = said.numbers.contrasts[said.arm("x"), said.arm("y")]
    bound = said.numbers.gained(one)[3]
    told = said.number("bound")
    right = same_side(told, bound, one["margin"]) and said.number("margin") == one["margin"]
    return figure(said) and said.numbers.below(one) and right


def would_matter(said: Said) -> bool:
    return figure(said) and said.number("margin") == said.numbers.task["margin"]


def kind_of_little(said: Said) -> bool:
    """What is known of a stage that adds less than matters."""
    one, numbers = said.about, said.numbers
    if said.groups["how"] == "changes less than matters":
        return numbers.below(one, both=True)
    harm = said.groups["how"] == "adds nothing that matters and may do harm"
    return numbers.below(one) and (not harm or numbers.gained(one)[1] < 0)


def enough(said: Said) -> bool:
    x = said.numbers.control if said.groups["longer"] else said.arm("x")
    return x is not None and kind_of_little(said) and said.numbers.enough(x)


def simpler(said: Said) -> bool:
    ways = [said.names[way] for way in (said.groups["ways"] or "").split(" and ")]
    return all(said.numbers.simpler_and_better(way, said.arm("x")) for way in ways)


def harms(said: Said) -> bool:
    return said.numbers.verdict(said.question) == "worse" and not said.numbers.leaked()


def not_settled(said: Said) -> bool:
    return said.numbers.better(said.numbers.control or "", said.arm("x")) and said.arm("x") == said.question["b"]


def undecided(said: Said) -> bool:
    return said.numbers.verdict(said.about) is None and not said.numbers.described(said.about)


def needed(said: Said) -> bool:
    """As many as the contrast says, and more than there are; never where nothing stayed open."""
    told, there = said.number("needed"), said.number("there")
    asked = [one for one in said.numbers.contrasts.values() if (one["needed"], one["patients"]) == (told, there)]
    undecided = any(said.numbers.verdict(one) is None and one["margin"] is not None for one in asked)
    return undecided and told is not None and there is not None and told > there


def lacked(said: Said) -> bool:
    """What a study lacked that could not have seen a gain."""
    numbers, seen, text = said.numbers, said.numbers.seen, said.groups["items"] or ""
    control = "failed" if "its control failed" in text else "not_run" if "no control was run" in text else "passed"
    unknown, open_ = "nobody knows" in text, "had settled is not shown" in text
    return (
        seen.get("control", "not_run") == control and (not unknown or numbers.delivered() is None)
        and (not open_ or not numbers.settled())
    )  # fmt: skip


def changed(said: Said) -> bool:
    seen = said.numbers.seen
    pairs = said.number("pairs")
    right = pairs is None or close(pairs / 100, seen["pair_accuracy"][1])
    return right and close((said.number("n") or 0) / 100, seen["answers_changed"])


def holds_the_label(said: Said) -> bool:
    view = said.numbers.view(said.arm("x"))
    told = (said.number("n") or 0) / 100, (said.number("chance") or 0) / 100
    return (
        said.numbers.leaks(said.arm("x")) and close(told[0], view["label_share"]) and close(told[1], view["by_chance"])
    )


def misses_more(said: Said) -> bool:
    return any(one["dangerous"] and one["dangerous"]["sensitivity"]["ci_90"][1] < 0 and not said.numbers.safe(one)
               for one in said.numbers.contrasts.values())  # fmt: skip


def sensitivity(said: Said) -> bool:
    """Both shares, and a bound that is not better than it is."""
    for one in said.numbers.contrasts.values():
        found = (one["dangerous"] or {}).get("sensitivity")
        if found and close(said.number("n"), found["a"]) and close(said.number("other"), found["b"]):
            bound = said.number("bound")
            if bound is None or same_side(bound, found["ci_90"][0], -one["dangerous"]["margin"]):
                return True
    return False


def counted(said: Said) -> bool:
    counts = [one for one in said.numbers.contrasts.values() if one["counts"]]
    more = (said.number("more") or 0) * (-1 if said.groups["which"] == "fewer" else 1)
    return any(one["counts"]["only_a"] - one["counts"]["only_b"] == more for one in counts)


def none_at_risk(said: Said) -> bool:
    asked = [one["dangerous"] for one in said.numbers.contrasts.values() if one["dangerous"]]
    return any(one["sensitivity"] is None for one in asked)


def always(said: Said) -> bool:
    return True
