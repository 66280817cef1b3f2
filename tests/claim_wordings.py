"""How the pieces of a conclusion's sentence are worded, and what of the numbers each of them needs.

Every piece must have a wording here, so that a new one cannot be written without a rule. {x}, {y} and {z} are arms as
the study calls them, {stage} what is judged.
"""

from collections.abc import Callable

import claim_rules as rules
from claim_rules import Said

N = "[.0-9]+"
SIGNED = "[\N{MINUS SIGN}.0-9]+"
FIGURE = (
    f"(?P<delta>[+\N{MINUS SIGN}]?{N}) [-A-Za-z0-9_ ]+?(?P<less> \\(less is better\\))?"
    f" \\[(?P<low>{SIGNED}), (?P<high>{SIGNED})\\] for {{x}} (?P<over>over|against) {{y}}"
)
LONGER = "(?P<longer> trained on for the same compute)?"
HOW = (
    "{stage} (?P<how>changes less than matters|adds nothing that matters and may do harm|"
    "adds less than matters, though how much it takes away stays open)"
)
WHAT = "(?P<what>whether {stage} is worth it|whether {stage} is worth more than {x} trained on for the same compute)"
SHARES = f"sensitivity(?: for [a-z]+)? (?P<n>{N}) against (?P<other>{N})"
BOUND = f"(?:, a difference of at least (?P<bound>{SIGNED}) by its one-sided 95% bound)?"
DANGEROUS = "dangerous cases \\([a-z ]+\\)"
WHY_DESCRIBED = (
    "[0-9]+ patients, and at least 20 are needed",
    "a class has fewer than the 10 patients that are needed",
    "all cases are of one class, and at least two are needed",
    "a few patients hold most cases",
    "all weigh as much as [0-9]+ with equally many cases, and at least 20 are needed",
    "the training data hold an error on purpose, and how much it costs was chosen",
)
LACKED = (
    "its control failed",
    "no control was run",
    "nobody knows whether {stage} was delivered",
    "{stage} was not delivered",
    "that [A-Z+]+ had settled is not shown",
    f"of a difference, (?:it cannot be said which|one below {N}) would not have been found",
)

CLAIMS: dict[str, tuple[str, Callable[[Said], bool]]] = {
    "simpler and better": (
        "(?P<ways>.+) (?:is|are) simpler and better than {x}, which did best of the models asked about",
        rules.simpler,
    ),
    "harm beside it": (f"{{stage}} does harm, {FIGURE}", lambda s: rules.harms(s) and rules.figure(s)),
    "had not settled beside it": ("{x} had not settled", rules.not_settled),
    "base is enough": ("{x} is enough", lambda s: s.numbers.enough(s.arm("x"))),
    "no training adds": ("no training adds what matters to {x}", lambda s: s.numbers.no_training_adds(s.arm("x"))),
    "harms": ("{stage} does harm", rules.harms),
    "had not settled": (
        "{x} had not settled, so whether {stage} is worth it cannot be said",
        lambda s: rules.not_settled(s) and rules.undecided(s),
    ),
    "trained on it is better": (
        "trained on for the same compute, it is better",
        lambda s: s.numbers.better(s.numbers.control or "", s.question["b"]),
    ),
    "not delivered": (
        "{stage} was not delivered, so whether it is worth it cannot be said",
        lambda s: rules.undecided(s) and s.numbers.delivered() is False,
    ),
    "is enough": (f"{{x}}{LONGER} is enough, since {HOW}", rules.enough),
    "could not have seen": (f"{HOW} here, which does not make {{x}}{LONGER} enough", rules.kind_of_little),
    "what it lacked": (f"(?P<items>(?:(?:{'|'.join(LACKED)})(?:, )?)+)", rules.lacked),
    "not enough cases": (f"not enough cases to tell {WHAT}", rules.undecided),
    "patients needed": (
        "about (?P<needed>[0-9]+) patients would be needed, and there are (?P<there>[0-9]+)",
        rules.needed,
    ),
    "stays open": (f"it stays open {WHAT}", rules.undecided),
    "better, not worth it": (
        "{stage} is better than {x}, and yet not shown to be worth it",
        lambda s: s.numbers.better(s.question["a"], s.arm("x")),
    ),
    "worth it": ("{stage} is worth it", lambda s: s.numbers.worth()),
    "misses more": (f"it misses more {DANGEROUS} than {{x}} does", rules.misses_more),
    "not shown to be better": (
        "{x} is not shown to be better than {y}",
        lambda s: not s.numbers.better(s.arm("x"), s.arm("y")),
    ),
    "best names the answer": ("the view that does best names the answer", lambda s: s.numbers.any_leaks()),
    "holds the label": (
        "(?P<view>\\w+), by {x}, holds the case's own label in (?P<n>[0-9]+)% of the training cases, and "
        "by chance it would be in (?P<chance>[0-9]+)%",
        rules.holds_the_label,
    ),
}
"""What a reader could act on: name -> how it is worded, whether the numbers allow it."""

NUMBERS: dict[str, tuple[str, Callable[[Said], bool]]] = {
    "figure": (FIGURE, rules.figure),
    "figure that would matter": (f"{FIGURE}, where (?P<margin>{N}) would matter", rules.would_matter),
    "figure below the margin": (
        f"{FIGURE}, at most (?P<bound>{SIGNED}) by its one-sided 95% bound, so less than (?P<margin>{N})",
        rules.below_the_margin,
    ),
    "figure of form": (
        f"{FIGURE}, though [0-9]+% of {{z}}'s answers could not be read, so this may be the form of the answer alone",
        lambda s: rules.figure(s) and s.numbers.unread(s.arm("z")) > 0.5,
    ),
    "cases": (
        f"of [0-9]+ cases(?: \\([a-z0-9 ]+\\))?, (?:as many|(?P<more>{N}) (?P<which>more|fewer)) answered rightly",
        rules.counted,
    ),
    "price": (f"{N} times the training compute of {{x}}", rules.always),
    "answers changed": (
        "(?P<n>[0-9]+)% of the held-out answers changed(?:, and (?P<pairs>[0-9]+)% of validation pairs stand in the "
        "right order)?",
        rules.changed,
    ),
    "could not be read": (
        "(?P<n>[0-9]+)% of the answers of {x} could not be read",
        lambda s: rules.close((s.number("n") or 0) / 100, s.numbers.unread(s.arm("x"))),
    ),
    "same answer": (
        '{x} gives the same answer, "[a-z]+", to every case',
        lambda s: s.numbers.one_answer(s.arm("x")),
    ),
    "sensitivity": (f"{SHARES}{BOUND}", rules.sensitivity),
    "patients at risk": (
        f"{SHARES}{BOUND}, of (?:fewer than )?[0-9]+ patients with such cases",
        rules.sensitivity,
    ),
    "specificity": (f"specificity {N} against {N}", rules.always),
    "no dangerous case": ("no held-out case is [a-z]+", rules.none_at_risk),
    "few differ": ("the two differ on [0-9]+ of [0-9]+ patients, which does not settle it", rules.always),
    "failed": (
        "{x} failed in [A-Za-z ]+ \\(seeds? [0-9, ]+\\)(?:, so the gain may be that of longer training)?",
        lambda s: s.arm("x") in s.numbers.failed,
    ),
    "not of the method": (
        "this speaks of the models trained here with (?P<seeds>[0-9]+) seeds?, not of the method",
        rules.always,
    ),
}
"""What is told of the numbers themselves."""

UNKNOWN: dict[str, tuple[str, Callable[[Said], bool]]] = {
    "nothing compared": (
        "no arm is compared with the one that lacks its last stage, so no arm is recommended, and each comparison has "
        "a verdict of its own",
        lambda s: s.numbers.question is None,
    ),
    "only described": ("these cases only describe what the models did and allow no conclusion", rules.always),
    "why only described": ("|".join(WHY_DESCRIBED), lambda s: s.numbers.described(s.question)),
    "not compared": ("whether {stage} is worth it was not compared", lambda s: s.numbers.question is None),
    "not trained on": (
        "{x} was not trained on for the same compute in this study, so the gain may be that of longer training",
        lambda s: not s.numbers.compared(s.question["a"], s.numbers.control or ""),
    ),
    "base is not enough": ("that {x} is enough cannot be said", rules.always),
    "not shown that it could": ("this study did not show that it could have seen a gain", rules.always),
    "no margin": (
        "no margin was set, so nobody can say how many patients would tell",
        lambda s: s.numbers.task["margin"] is None,
    ),
    "worth it denied": ("that {stage} is worth it cannot be said", rules.always),
    "enough denied": (f"that {{x}}{LONGER} is enough, since {HOW} cannot be said", rules.always),
    "dangerous not known": (f"what it makes of {DANGEROUS} is not known", rules.always),
    "misses no more, not shown": (
        f"that it misses no more {DANGEROUS} than {{x}}, to within a sensitivity of {N}, is not shown",
        rules.always,
    ),
    "needed to show it": ("where arms find the same ones, [0-9]+ are needed to show it", rules.always),
    "form alone": ("more than the form of the answer was not shown to be learnt", rules.always),
}
"""What is said not to be known, or not to be claimed."""

WORDINGS = UNKNOWN | CLAIMS | NUMBERS
