"""What a conclusion says as a whole: the claims of its sentence, of which models it speaks, and what it advises."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from claim_rules import Said, kind_of_little, same_side
from claim_wordings import WORDINGS
from claims_allowed import MAJORITY, Allowed

REASONS: dict[str, tuple[str, Callable[[Allowed, str], bool]]] = {
    "described": (
        "these only describe what the models did",
        lambda n, _: n.question is None or n.described(n.question),
    ),
    "none left": ("the conclusion leaves no arm to use", lambda _, x: x == ""),
    "train on": (
        "train SFT until more of it no longer helps, then ask again",
        lambda n, _: n.question is not None and n.better(n.control or "", n.question["b"]),
    ),
    "deliver": (
        "deliver it first: more pairs, more steps or a higher learning rate",
        lambda n, _: n.delivered() is False,
    ),
    "show first": ("the study has to show first that it could have seen a gain", lambda n, x: x == ""),
    "harm": ("harm was shown", lambda n, _: n.verdict(n.question) == "worse"),
    "shown the answer": ("what does best is shown the answer, which no new case brings", lambda n, _: n.any_leaks()),
    "simpler": (
        "a simpler way does better: take that, or train until the model beats it",
        lambda n, _: any(n.simpler_and_better(way, x) for way in [*n.arms, MAJORITY] for x in n.cells),
    ),
    "on purpose": ("the training data hold an error on purpose", lambda n, _: bool(n.task["spike"])),
    "too few": (
        "these are too few to tell",
        lambda n, _: any((one["needed"] or 0) > one["patients"] for one in n.contrasts.values()),
    ),
    "known after": (
        "what it is shown is known only after the decision",
        lambda n, x: n.view(x)["known"] == "after",
    ),
    "holds the label": ("what it is shown holds the answer", lambda n, x: n.shows_the_answer(x)),
    "synthetic": ("the cases are synthetic", lambda n, _: n.task["synthetic"]),
    "unread": ("[0-9]+% of its answers could not be read", lambda n, x: n.unread(x) > 0.05),
    "not beaten": ("it is not shown to be better than .+", lambda n, x: not all(n.beaten(x).values())),
    "not compared": ("it was compared with no simpler way", lambda n, x: not n.beaten(x)),
    "leaked": ("held-out cases leaked into training", lambda n, _: bool(n.task["leakage"])),
    "looked at": ("these held-out cases were looked at before", lambda n, _: n.task["looks"] > 1),
    "seeds": (
        "a pilot needs 3, since training anew may give another model",
        lambda n, x: len(n.cells[x]) < 3,
    ),
    "nothing against": ("nothing in this study speaks against it", lambda n, x: n.pilot(x)),
}
"""What decided an advice -> whether it is so, of the arm that the sentence leaves to use."""

BOX = "".join(
    (
        r"Control: (passed|failed|not run)[;,] [^.]+(\.\.\.}` would be one)?\. Delivered: [^:]+(: [^:]+)?\. ",
        r"(Whether )?[A-Z+]+ had (not )?settled",
        r"( is not shown|: more of it was better|: more of it added less than matters)\. ",
        r"(Which difference would have been found cannot be said",
        r"|A difference of [.0-9]+ would have been found with 80% power( \(margin [.0-9]+\))?)\.",
    )
)
"""How it is said whether a gain could have been seen."""


@dataclass(frozen=True)
class Read:
    """wordings: all that a conclusion says. refused: those of them that the numbers do not allow."""

    wordings: frozenset[str]
    refused: frozenset[str]


def read(results: dict[str, Any], task: str = "triage", **changed: str) -> Read:
    """The conclusion on a task, held against the numbers; changed: what is said otherwise than in the results."""
    numbers = Allowed(results, task)
    conclusion = next(one for one in results["conclusions"] if one["task"] == task) | changed
    said = pieces(conclusion["sentence"], numbers, task)
    wordings = {name for name, _ in said} | {str(how) for _, one in said if (how := one.groups.get("how"))}
    refused = {name for name, one in said if not _allowed(WORDINGS[name][1], one)}
    refused |= {how for _, one in said if (how := one.groups.get("how")) and not _allowed(kind_of_little, one)}
    if _speaks_of_the_method(said, numbers):
        wordings.add("speaks of the method")
        refused |= set() if _has_the_seeds(said, numbers) else {"speaks of the method"}
    told = next((int(one.groups["seeds"] or 0) for name, one in said if name == "not of the method"), 0)
    if told > min((len(one["seeds"]) for one in _rests_on(said, numbers)), default=told):
        refused.add("not of the method")
    advised = conclusion["recommendation"]
    left = _left(said, numbers)
    names = [name for name, (pattern, _) in REASONS.items() if re.fullmatch(pattern, conclusion["reason"])]
    assert names, f"no rule for the reason {conclusion['reason']!r}"
    wordings |= {advised, *(f"reason: {name}" for name in names)}
    refused |= {f"reason: {name}" for name in names if not REASONS[name][1](numbers, left)}
    few = wordings & {"not enough cases", "only described"} or numbers.task["leakage"] or numbers.task["looks"] > 1
    refused |= {advised} if advised == "pilot silently" and not numbers.pilot(left) else set()
    refused |= {advised} if advised == "more cases" and not few else set()
    return Read(frozenset(wordings), frozenset(refused | _of_the_box(numbers)))


def _allowed(rule: Callable[[Said], bool], said: Said) -> bool:
    """What is said of numbers that are not there is not allowed."""
    try:
        return rule(said)
    except LookupError:
        return False


def _of_the_box(numbers: Allowed) -> set[str]:
    """What is said under the conclusion of what could have been seen, and is not so."""
    text, question, control = numbers.seen.get("sentence", ""), numbers.question, numbers.control or ""
    told = re.search(r"A difference of ([.0-9]+) would", text)
    if not text or question is None:
        return {"box"} if text else set()
    small = numbers.detectable(question)
    true = {
        "Control: passed": numbers.seen["control"] == "passed",
        "had settled: more of it added less than matters": numbers.settled(),
        "had not settled: more of it was better": numbers.better(control, question["b"]),
        "would have been found with 80% power": bool(told) and same_side(float(told[1]), small, question["margin"]),
    }
    assert re.fullmatch(BOX, text), f"no rule for the box {text!r}"
    return {f"box: {words}" for words, is_so in true.items() if words in text and not is_so}


def pieces(sentence: str, numbers: Allowed, task: str) -> list[tuple[str, Said]]:
    """The sentence in pieces, each with its wording; a piece without one is a fault of this reader, or a new claim."""
    names = {one["phrase"]: name for name, one in numbers.arms.items()} | {"the majority answer": MAJORITY}
    longest = sorted(names, key=len, reverse=True)
    phrase = "|".join(map(re.escape, longest))
    stages = dict.fromkeys(one["title"].rsplit("+", 1)[-1] for one in numbers.arms.values() if one["stages"])
    patterns = _patterns(phrase, "|".join(stages) or "DPO")
    found = []
    start = f"On {task}, "
    assert sentence.startswith(start)
    assert sentence.endswith(".")
    for piece in re.split("; |: ", sentence.removeprefix(start).removesuffix(".")):
        for name, pattern in patterns.items():
            if match := pattern.fullmatch(piece):
                found.append((name, Said(numbers, names, match.groupdict())))
                break
        else:
            raise AssertionError(f"no rule for the wording {piece!r}")
    return found


@cache
def _patterns(phrase: str, stage: str) -> dict[str, re.Pattern[str]]:
    """The wordings with what this study calls its arms and stages."""
    slots = {one: f"(?P<{one}>{phrase})" for one in "xyz"} | {"stage": f"(?:{stage})"}
    found = {}
    for name, (pattern, _) in WORDINGS.items():
        for slot, value in slots.items():
            pattern = pattern.replace("{" + slot + "}", value)
        found[name] = re.compile(pattern)
    return found


def _rests_on(said: list[tuple[str, Said]], numbers: Allowed) -> list[Any]:
    """The contrasts with a trained arm that the sentence names, and those of arms that are said to add nothing."""
    named = [(one.arm("x"), one.arm("y")) for name, one in said if name.startswith(("figure", "harm beside"))]
    named += [(arm, one.arm("x")) for name, one in said if name == "no training adds" for arm in numbers.asked]
    found = [numbers.contrasts[pair] for pair in named if pair in numbers.contrasts]
    return [one for one in found if any(numbers.arms.get(one[side], {}).get("stages") for side in "ab")]


def _speaks_of_the_method(said: list[tuple[str, Said]], numbers: Allowed) -> bool:
    return bool(numbers.asked) and not any(name == "not of the method" for name, _ in said)


def _has_the_seeds(said: list[tuple[str, Said]], numbers: Allowed) -> bool:
    counts = [len(one["seeds"]) for one in _rests_on(said, numbers)]
    return min(counts, default=len(numbers.cells[numbers.asked[-1]])) >= 5


def _left(said: list[tuple[str, Said]], numbers: Allowed) -> str:
    """The arm that the sentence leaves to use; empty where it leaves none."""
    for name, one in said:
        if name == "base is enough":
            return one.arm("x")
        if name == "is enough":
            return numbers.control or "" if one.groups["longer"] else one.arm("x")
        if name == "worth it" and numbers.question:
            return str(numbers.question["a"])
    return ""
