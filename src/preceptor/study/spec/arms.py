"""An arm is data: its stages in order, how it answers, what it is compared with and what it is a control of.

Most arms need no more than a name, which parses. Its parts are joined by `+`: stages, each with the source of what it
needs behind `@`, then a way of answering where that is not greedy generation; `base` stands for no stage. A stage named
twice in a row goes on for the compute that another arm takes, and makes the arm that arm's control.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.study.spec.found import answer_names, find_answer, find_kind, kind_names

GENERATE = "generate"
"""How an arm answers when nothing else is said: greedy generation."""
BASE = "base"
"""The arm of the untouched model, and the part of a name that stands for no stage."""
MAJORITY = "majority"
"""The answer that is commonest in training, given to every case; a comparator that is no arm."""

Name = Annotated[str, Field(pattern=r"^\w[\w.+@-]*$", max_length=100)]


class Arm(BaseModel):
    """One way of getting answers to held-out cases.

    stages: names of stages in order. answer: a file of `study/answers/`. against: the arms it is compared with, beside
    the study's primary contrasts. control_of: the arm whose compute its last stage is given. phrase: its name within a
    sentence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    title: str = ""
    explanation: str = ""
    phrase: str = Field(default="", exclude=True)
    stages: tuple[Name, ...] = ()
    answer: str = GENERATE
    against: tuple[Name, ...] = ()
    control_of: Name | None = None

    @model_validator(mode="after")
    def _answers_in_a_known_way(self) -> Self:
        if self.answer not in answer_names():
            raise ValueError(f"answer: there is no {self.answer!r}; use one of {', '.join(answer_names())}")
        return self

    @property
    def trained(self) -> bool:
        """Whether a stage comes before its answers."""
        return bool(self.stages)

    @property
    def parent(self) -> tuple[str, ...]:
        """Its stages but the last."""
        return self.stages[:-1]

    @property
    def source(self) -> str:
        """What stands behind `@` in its stages; empty where nothing does."""
        return next((source for stage in self.stages if (source := source_of(stage))), "")


def source_of(stage: str) -> str:
    """What stands behind `@` in a stage's name: `dpo@judge` -> `judge`; empty where nothing does."""
    return stage.partition("@")[2]


def resolve(entries: Sequence[str | Arm], kinds: Mapping[str, str]) -> dict[str, Arm]:
    """Arms by name, in order, with everything written out; `kinds`: the kind of each stage that the study names.

    Raises `ValueError` with every name that does not parse.
    """
    if problems := [problem for entry in entries for problem in _problems(entry, kinds)]:
        raise ValueError("; ".join(problems))
    arms = [entry if isinstance(entry, Arm) else _parse(entry) for entry in entries]
    arms = [_with_control(arm, arms) for arm in arms]
    return {arm.name: _with_words(_with_comparators(arm, arms), arms, kinds) for arm in arms}


def kind_of(stage: str, kinds: Mapping[str, str]) -> str:
    """The kind of a stage: what the study says of its name, else the name itself without its source."""
    name = stage.partition("@")[0]
    return kinds.get(stage) or kinds.get(name) or name


def treatment(arms: Mapping[str, Arm]) -> Arm | None:
    """The arm a study is about: of those that are no control, the first with the most stages; None without training."""
    trained = [arm for arm in arms.values() if arm.trained and arm.control_of is None]
    return max(trained, key=lambda arm: len(arm.stages), default=None)


def comparator(arm: Arm, arms: Mapping[str, Arm]) -> Arm | None:
    """The arm that lacks the last of its stages, else the untouched model; None where the study has no such arm."""
    return next((one for one in arms.values() if one.stages == arm.parent and one.answer == arm.answer), None)


def control(arm: Arm, arms: Mapping[str, Arm]) -> Arm | None:
    """The arm that is given as much compute without the treatment; None where the study has none."""
    return next((one for one in arms.values() if one.control_of == arm.name), None)


def contrasts_about(arms: Mapping[str, Arm]) -> tuple[tuple[str, str], ...]:
    """What a study is about when it names no primary contrasts: its treatment against comparator and control."""
    about = treatment(arms)
    others = (comparator(about, arms), control(about, arms)) if about else ()
    return tuple((about.name, other.name) for other in others if about and other)


def phrases(arms: Mapping[str, Arm]) -> dict[str, str]:
    """How each arm, and the majority answer, is called within a sentence."""
    return {name: arm.phrase for name, arm in arms.items()} | {MAJORITY: "the majority answer"}


def _parts(name: str) -> tuple[list[str], str]:
    """The stages of an arm's name and its way of answering."""
    parts = name.split("+")
    answer = parts.pop() if parts[-1] in answer_names() else GENERATE
    return parts[1:] if parts[:1] == [BASE] else parts, answer


def _parse(name: str) -> Arm:
    stages, answer = _parts(name)
    return Arm(name=name, stages=tuple(stages), answer=answer)


def _problems(entry: str | Arm, kinds: Mapping[str, str]) -> Iterator[str]:
    name, stages = (entry, _parts(entry)[0]) if isinstance(entry, str) else (entry.name, entry.stages)
    for stage in stages:
        if kind_of(stage, kinds) not in kind_names():
            known = sorted({*kinds, *kind_names()})
            yield (
                f"{name}: there is no stage {stage!r}; an arm is {BASE}, a way of answering "
                f"({', '.join(answer_names())}) or stages ({', '.join(known)}) joined by +"
            )


def _with_control(arm: Arm, arms: Sequence[Arm]) -> Arm:
    """A stage named twice in a row is given the compute of the deepest other arm that begins as this one does."""
    if arm.control_of or len(arm.stages) < 2 or arm.stages[-1] != arm.stages[-2]:
        return arm
    begun = arm.parent
    others = [one for one in arms if one.stages[: len(begun)] == begun and one.stages[len(begun) :] and one != arm]
    others = [one for one in others if one.stages[-1] != one.stages[-2]]
    first = max(others, key=lambda one: len(one.stages), default=None)
    if first is None:
        raise ValueError(
            f"{arm.name} goes on for the compute that another arm takes, so name an arm that begins with "
            f"{'+'.join(begun)} and takes another stage, or leave {arm.name} out"
        )
    return arm.model_copy(update={"control_of": first.name})


def _with_comparators(arm: Arm, arms: Sequence[Arm]) -> Arm:
    """A trained arm is compared with the untouched ones, its parent and its control; further sources with the first."""
    if arm.against or not arm.trained:
        return arm
    parent = [one.name for one in arms if one.stages and one.stages == arm.parent]
    plain = [one.name for one in arms if arm.source and one.stages == _without_sources(arm)]
    if plain:
        return arm.model_copy(update={"against": (*plain, *parent)})
    if arm.control_of:
        return arm.model_copy(update={"against": tuple(parent)})
    controls = [one.name for one in arms if one.control_of == arm.name]
    untouched = [one.name for one in arms if not one.trained]
    return arm.model_copy(update={"against": (*untouched, *parent, *controls, MAJORITY)})


def _without_sources(arm: Arm) -> tuple[str, ...]:
    return tuple(stage.partition("@")[0] for stage in arm.stages)


def _with_words(arm: Arm, arms: Sequence[Arm], kinds: Mapping[str, str]) -> Arm:
    """Title and explanation, from the files of its stages and of its way of answering."""
    if not arm.trained:
        answer = find_answer(arm.answer)
        title, words, phrase = arm.title or answer.title, arm.explanation or answer.explanation, arm.title
        return arm.model_copy(update={"title": title, "explanation": words, "phrase": phrase or answer.phrase})
    found = [find_kind(kind_of(stage, kinds)) for stage in arm.stages]
    title = "+".join(kind.title for kind in found)
    if arm.source:
        title += f" ({arm.source.replace('_', ' ')})"
    words = str(found[-1].explanation)
    if arm.control_of:
        other = _last_title(next(one for one in arms if one.name == arm.control_of), kinds)
        words = (
            f"{found[-1].title} for longer, as much as {other} cost: whether a gain of {other} is only a gain of more "
            "training."
        )
    title, words = arm.title or title, arm.explanation or words
    return arm.model_copy(update={"title": title, "explanation": words, "phrase": title})


def _last_title(arm: Arm, kinds: Mapping[str, str]) -> Any:
    return find_kind(kind_of(arm.stages[-1], kinds)).title
