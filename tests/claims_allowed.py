"""What the numbers of `results.json` allow to claim, by the rules of docs/EVIDENCE.md, and by nothing of the package.

No verdict, no reading of a margin and no finding that stands in the file is believed: p-values, intervals, shares and
counts are.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

LESS_IS_BETTER = {"brier"}
WITHOUT_A_MODEL = {"tfidf", "nearest", "mlp"}
MAJORITY = "majority"
Row = Mapping[str, Any]
Numbers = tuple[float, float, float, float]


class Allowed:
    """The numbers of one task. Arms are named as in the study; `x` is the one that a claim is about."""

    def __init__(self, results: Row, task: str) -> None:
        self.task: Row = next(one for one in results["study"]["tasks"] if one["name"] == task)
        self.arms: dict[str, Row] = {one["name"]: one for one in results["arms"]}
        self.contrasts: dict[tuple[str, str], Row] = {
            (one["a"], one["b"]): one for one in results["contrasts"] if one["task"] == task
        }
        self.cells: dict[str, list[Row]] = {}
        for cell in (one for one in results["cells"] if one["task"] == task):
            self.cells.setdefault(cell["arm"], []).append(cell)
        self.failed = {one["arm"] for one in results["failed"] if one["task"] == task}
        self.seen: Row = next((one for one in results["could_have_seen"] if one["task"] == task), {})

    # Which arm is which

    @property
    def line(self) -> list[str]:
        """The treatment and what it goes on from, the fewest stages first."""
        trained = [one for one in self.arms.values() if one["stages"] and not one["control_of"]]
        arm: Row | None = max(trained, key=lambda one: len(one["stages"]), default=None)
        line: list[str] = []
        while arm is not None and arm["stages"]:
            line.insert(0, arm["name"])
            arm = next((one for one in self.arms.values() if one["stages"] == arm["stages"][:-1]
                        and all(one[same] == arm[same] for same in ("answer", "view"))), None)  # fmt: skip
        return line

    @property
    def asked(self) -> list[str]:
        """Of the line, the arms that have answers."""
        return [arm for arm in self.line if arm in self.cells]

    @property
    def untouched(self) -> list[str]:
        return [name for name, one in self.arms.items() if not one["stages"] and one["answer"] in ("generate", "shots")]

    @property
    def control(self) -> str | None:
        last = self.line[-1] if self.line else None
        return next((name for name, one in self.arms.items() if one["control_of"] == last), None)

    @property
    def question(self) -> Row | None:
        line = self.line
        pairs = (
            [*zip(line[:0:-1], line[-2::-1], strict=True), *((line[0], one) for one in self.untouched)] if line else []
        )
        known = self.cells.keys() | self.failed
        asked = (pair for pair in pairs if pair in self.contrasts or ({*pair} <= known and self.failed & {*pair}))
        return self.contrasts.get(next(asked, ("", "")))

    @property
    def simpler(self) -> list[str]:
        return [name for name, one in self.arms.items() if one["answer"] in WITHOUT_A_MODEL]

    def began(self, x: str) -> str:
        """What a control goes on from; any other arm itself."""
        arm = self.arms[x]
        if not arm["control_of"]:
            return x
        return next(name for name, one in self.arms.items() if one["stages"] == arm["stages"][:-1])

    # What two arms show

    def described(self, one: Row) -> bool:
        """Whether these cases allow no conclusion. How much patients of several cases weigh is not in the file."""
        rows = [sum(row) for row in (self.cells[one["a"]][0]["confusion"] or {}).get("matrix", ())]
        classes = [total for total in rows if total] if one["n"] == one["patients"] else []
        few = one["patients"] < 20 or (classes and (min(classes) < 10 or len(classes) < 2))
        both = all(self.arms.get(one[side], {}).get("stages") for side in "ab")
        return bool(few or one["descriptive"] or (self.task["spike"] and both))

    @staticmethod
    def gained(one: Row) -> Numbers:
        """The ends of the 95% and of the 90% interval of the gain of a over b."""
        low, high, low_90, high_90 = *one["ci"], *one["ci_90"]
        return (-high, -low, -high_90, -low_90) if one["metric"] in LESS_IS_BETTER else (low, high, low_90, high_90)

    def verdict(self, one: Row | None) -> str | None:
        if one is None or self.described(one):
            return None
        low, high, *_ = self.gained(one)
        if one["p_adjusted"] >= 0.05:
            return None
        return "better" if low > 0 else "worse" if high < 0 else None

    def better(self, x: str, y: str) -> bool:
        """Whichever of the two the study put first."""
        turned = self.contrasts.get((y, x))
        return self.verdict(self.contrasts.get((x, y))) == "better" or self.verdict(turned) == "worse"

    def compared(self, x: str, y: str) -> bool:
        return (x, y) in self.contrasts or (y, x) in self.contrasts

    def below(self, one: Row | None, *, both: bool = False) -> bool:
        """By its one-sided 95% bound less than the margin is gained; both: nor lost."""
        if one is None or one["margin"] is None or self.described(one):
            return False
        if one["differing"] < 10 and one["interval"] != "Tango's score interval":
            return False
        *_, low, high = self.gained(one)
        return high < one["margin"] and (not both or low > -one["margin"])

    def safe(self, one: Row) -> bool:
        """Of a's dangerous cases, no more are missed than the margin allows."""
        if one["dangerous"] is None:
            return not self.task["dangerous"]
        found, margin = one["dangerous"]["sensitivity"], one["dangerous"]["margin"]
        return found is not None and margin is not None and found["ci_90"][0] > -margin

    # What an arm answers

    def value(self, x: str) -> float | None:
        known = [cell["value"] for cell in self.cells.get(x, ()) if cell["value"] is not None]
        return fmean(known) * (-1 if self.task["metric"] in LESS_IS_BETTER else 1) if known else None

    def does_best(self, x: str, among: list[str]) -> bool:
        values = [value for one in among if (value := self.value(one)) is not None]
        return bool(values) and self.value(x) == max(values)

    def unread(self, x: str) -> float:
        return fmean(cell["invalid_rate"] for cell in self.cells[x])

    def one_answer(self, x: str) -> bool:
        tables = [cell["confusion"]["matrix"] for cell in self.cells[x] if cell["confusion"]]
        return any(sum(any(row[n] for row in table) for n in range(len(table))) == 1 for table in tables)

    def useless(self, x: str) -> bool:
        return self.unread(x) > 0.5 or self.one_answer(x)

    def view(self, x: str) -> Row:
        return next((one for one in self.task["views"] if one["name"] == self.arms[x]["view"]), {})

    def shows_the_answer(self, x: str) -> bool:
        view = self.view(x)
        return bool(view) and view["label_share"] - view["by_chance"] >= 0.25 * (1 - view["by_chance"]) > 0

    # What may be claimed

    def leaks(self, x: str) -> bool:
        return self.does_best(x, [*self.cells]) and self.shows_the_answer(x)

    def any_leaks(self) -> bool:
        return any(map(self.leaks, self.cells))

    def leaked(self) -> bool:
        """Whether what does best, all of it where several do, is shown the answer."""
        return all(map(self.leaks, [x for x in self.cells if self.does_best(x, [*self.cells])]))

    def simpler_and_better(self, way: str, x: str) -> bool:
        question, control = self.question, self.control
        if question is None or not self.does_best(x, [*self.asked, *self.untouched]) or not self.better(way, x):
            return False
        if way == control:
            return self.better(way, self.line[-1])
        if way == MAJORITY:
            return True
        late = self.view(way).get("known") == "after"
        head = self.arms[way]["answer"] == "head" and self.arms[x]["answer"] != "head" and way not in self.line
        return not late and (way in self.simpler or head)

    def decided_before(self) -> bool:
        """Whether what comes before all that follows from the question forbids a claim on it."""
        question = self.question
        if question is None or self.described(question) or self.leaked():
            return True
        models = [*self.asked, *self.untouched]
        best = [x for x in models if x in self.cells and self.does_best(x, models)]
        return any(all(self.simpler_and_better(way, x) for x in best) for way in [*self.arms, MAJORITY] if best)

    def beats_base(self, x: str) -> bool:
        """x against the base model, in a study that has it and compares them."""
        base = next((one for one in self.untouched if self.arms[one]["answer"] == "generate"), None)
        lost = base is not None and not self.compared(x, base) and bool(self.failed & {x, base})
        return base is None or (not lost and (self.better(x, base) or not self.compared(x, base)))

    def worth(self) -> bool:
        question, control = self.question, self.control
        if question is None or self.decided_before() or self.useless(x := question["a"]):
            return False
        gains = [question]
        if self.arms[question["b"]]["stages"]:
            longer = self.contrasts.get((x, control or ""))
            if longer is None:
                return False
            gains.append(longer)
        elif not self.more_than_the_form(x):
            return False
        shown = all(self.verdict(one) == "better" and not self.below(one) and self.safe(one) for one in gains)
        return shown and self.beats_base(x)

    def more_than_the_form(self, x: str) -> bool:
        base = next((one for one in self.untouched if self.arms[one]["answer"] == "generate"), None)
        if base is None or base not in self.cells or self.unread(base) <= 0.5:
            return True
        return any(self.better(x, one) for one in self.untouched if one != base)

    def enough(self, x: str) -> bool:
        question = self.question
        if question is None or self.decided_before() or self.useless(x):
            return False
        if not self.arms[x]["stages"]:
            return self.no_training_adds(x)
        if x == self.control and self.verdict(question) != "better":
            return False
        one = self.contrasts.get((question["a"], x))
        return self.below(one) and self.beats_base(self.began(x)) and self.could_have_seen(one)

    def no_training_adds(self, x: str) -> bool:
        """No tuned arm is better than x by as much as the margin, also none that the question is not about."""
        asked = [self.contrasts.get((arm, x)) for arm in self.asked]
        others = [
            name for name, one in self.arms.items() if one["stages"] and name in self.cells and name not in self.line
        ]
        more = [(o, y) for o in others for y in (x, *self.asked) if self.better(o, y) and not self.better(x, y)]
        gained = [pair for pair in more if pair[1] != x or not self.below(self.contrasts.get(pair))]
        return all(self.verdict(one) == "worse" or self.below(one) for one in asked) and not gained

    def could_have_seen(self, one: Row | None) -> bool:
        """A gain of the margin in this contrast, of a stage that was delivered, over what had settled."""
        small = one is not None and self.detectable(one) is not None and self.detectable(one) <= one["margin"]
        return bool(self.seen.get("control") == "passed" and self.delivered() and self.settled() and small)

    @staticmethod
    def detectable(one: Row) -> Any:
        """The difference that shows with 80% power: 1.96 + 0.84 standard errors."""
        low, high = one["ci"]
        return (high - low) / 2 * (1.959964 + 0.841621) / 1.959964 if high > low else None

    def delivered(self) -> bool | None:
        changed, pairs = self.seen.get("answers_changed"), self.seen.get("pair_accuracy")
        return None if changed is None else changed >= 0.05 and (pairs is None or pairs[1] > 0.5)

    def settled(self) -> bool:
        question, control = self.question, self.control
        more = self.contrasts.get((control or "", question["b"])) if question else None
        return self.below(more) and self.verdict(more) != "better"

    def beaten(self, x: str) -> dict[str, bool]:
        """Simpler way -> whether x, or what it goes on from, is better; of those that the study compares it with."""
        begun = self.began(x)
        ways = [*self.simpler, MAJORITY]
        return {way: self.better(begun, way) for way in ways if self.compared(begun, way) or way in self.failed}

    def pilot(self, x: str) -> bool:
        if not x or self.task["spike"] or self.task["synthetic"] or self.task["leakage"]:
            return False
        beaten = self.beaten(x)
        answers = self.unread(x) <= 0.05 and not self.one_answer(x)
        shown = self.view(x).get("known") != "after" and not self.shows_the_answer(x)
        seeds = len(self.cells[x]) >= 3 or not self.arms[x]["stages"]
        first = (self.task["looks"] or 0) <= 1
        return bool(beaten) and all(beaten.values()) and answers and shown and seeds and first
