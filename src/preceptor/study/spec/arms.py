"""An arm is data: its stages in order, how it answers, what it is compared with and what it is a control of.

Most arms need no more than a name, which parses. Its parts are joined by `+`: stages, each with the source of what it
needs behind `@`, then a way of answering where that is not greedy generation; `base` stands for no stage. A stage named
twice in a row goes on for the compute that another arm takes, and makes the arm that arm's control.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from preceptor.study.spec.found import answer_names, find_answer, find_kind, kind_names
from preceptor.study.spec.stage_entry import (
    BASE,
    Entries,
    Name,
    comes_after_itself,
    entry_of,
    kind_of,
    named_model,
    source_of,
    with_ancestors,
)

GENERATE = "generate"
"""How an arm answers when nothing else is said: greedy generation."""
MAJORITY = "majority"
"""The answer that is commonest in training, given to every case; a comparator that is no arm."""


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
    policies: int = Field(default=0, exclude=True)
    """How many of its stages make a policy; known once arms are resolved."""
    stages: tuple[Name, ...] = ()
    answer: str = GENERATE
    against: tuple[Name, ...] = ()
    control_of: Name | None = None
    view: Name | None = Field(default=None, exclude_if=lambda view: view is None)
    """What it is shown of a case, by the name that the task has it under; by default the task's prompt."""
    per_label: int | None = Field(default=None, ge=1, exclude_if=lambda count: count is None)
    """With how many training cases of each label, and as many for validation, it does with; by default with all."""
    model: str | None = Field(default=None, exclude=True)
    """The name of the model that its first stage asks for; None for the study's. Known once arms are resolved."""
    simpler: bool = Field(default=False, exclude=True)
    """Whether it is a simpler way by the kind of its first stage, a control beside those without a language model."""

    def shown_alike(self, other: "Arm") -> bool:
        """Whether both are shown the same of the same cases."""
        return (self.view, self.per_label) == (other.view, other.per_label)

    def asked_alike(self, other: "Arm") -> bool:
        """Whether both are also of the same model."""
        return self.shown_alike(other) and self.model == other.model

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


def arm_problems(written: Sequence[str | Arm], stages: Entries) -> list[str]:
    """What is wrong with arms beside each other; `resolve` takes those with which nothing is, nor in themselves."""
    arms = _parsed(written, stages)
    names = [arm.name for arm in arms]
    problems = [f"{name} is named more than once" for name in dict.fromkeys(names) if names.count(name) > 1]
    for arm in arms:
        if not own_problems(arm, stages):
            problems += [f"{arm.name}: {problem}" for problem in _control_problems(arm, arms, stages)]
    return problems


def resolve(written: Sequence[str | Arm], stages: Entries) -> dict[str, Arm]:
    """Arms by name, in order, with everything written out; `stages`: those that the study file names.

    Raises `KeyError` for a stage or a way of answering that is not there.
    """
    arms = _parsed(written, stages)
    arms = [arm.model_copy(update={"control_of": _control_of(arm, arms, stages)}) for arm in arms]
    return {arm.name: _with_words(_with_comparators(arm, arms), arms, stages) for arm in arms}


def arm_of_maker(arm: Arm, maker: str, stages: Entries) -> str | Arm:
    """The same arm with pairs by a further maker; a name where that parses to it."""
    takes = next(i for i, stage in enumerate(arm.stages) if find_kind(kind_of(stage, stages)).needs(stage))
    with_source = (*arm.stages[:takes], f"{arm.stages[takes]}@{maker}", *arm.stages[takes + 1 :])
    name, title = f"{arm.name}@{maker}", f"{arm.title} ({maker.replace('_', ' ')})"
    if _parse(name).stages == with_source and not arm.view and not arm.per_label:
        return name
    given = {"name": name, "title": title, "stages": with_source}
    return Arm.model_validate(arm.model_dump(include={"explanation", "answer", "view", "per_label"}) | given)


def treatment(arms: Mapping[str, Arm]) -> Arm | None:
    """The arm a study is about: of those that are no control, the first that trains most often; None without training.

    Stages that make pairs do not count, so that an arm with pairs of its own is not preferred to one with the usual.
    Arms of other models count only where none of the study's own is trained.
    """
    trained = [arm for arm in arms.values() if arm.trained and arm.control_of is None]
    own = [arm for arm in trained if arm.model is None]
    return max(own or trained, key=lambda arm: arm.policies, default=None)


def comparator(arm: Arm, arms: Mapping[str, Arm]) -> Arm | None:
    """The arm that lacks the last of its stages, of one stage the untouched model; None where the study lacks it."""
    alike = (one for one in arms.values() if one.asked_alike(arm) and one.answer == arm.answer)
    return next((one for one in alike if one.stages == arm.parent), None)


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
    return Arm.model_construct(name=name, stages=tuple(stages), answer=answer)


def _parsed(written: Sequence[str | Arm], stages: Entries) -> list[Arm]:
    """The arms as data, with the stages that their first one comes after and the answer that their last one gives."""
    arms = [_parse(one) if isinstance(one, str) else one for one in written]
    arms = [arm.model_copy(update={"stages": with_ancestors(arm.stages, stages)}) for arm in arms]
    return [arm.model_copy(update={"answer": _answer(arm, stages)} | _of_first(arm, stages)) for arm in arms]


def _of_first(arm: Arm, stages: Entries) -> dict[str, Any]:
    """What an arm has of its first stage."""
    kind = kind_of(arm.stages[0], stages) if arm.stages else ""
    if kind not in kind_names():
        return {}
    return {"model": named_model(arm.stages[0], stages), "simpler": hasattr(find_kind(kind), "model")}


def _answer(arm: Arm, stages: Entries) -> str:
    kind = kind_of(arm.stages[-1], stages) if arm.stages else ""
    if arm.answer != GENERATE or kind not in kind_names():
        return arm.answer
    return str(getattr(find_kind(kind), "answer", GENERATE))


def own_problems(written: str | Arm, stages: Entries) -> list[str]:
    """What is wrong with one arm, whatever stands beside it."""
    (arm,) = _parsed([written], stages)
    return [f"{arm.name}: {problem}" for problem in _own_problems(arm, stages)]


def _own_problems(arm: Arm, stages: Entries) -> Iterator[str]:
    if arm.answer not in answer_names():
        yield f"there is no way of answering {arm.answer!r}; use one of {', '.join(answer_names())}"
    elif arm.trained and not find_answer(arm.answer).asks_policy:
        yield f"{arm.answer} does not ask the policy, so what its stages train would answer nothing; take them out"
    elif getattr(find_answer(arm.answer), "needs_head", False) and not _ends_with_head(arm, stages):
        yield f"{arm.answer} reads a head, and its last stage trains none; end it with a stage that does, as classify"
    if arm.stages and _has_own_head(arm.stages[-1], stages):
        yield f"{arm.stages[-1]} answers no task; put a stage behind it that does, as classify"
    unknown = [stage for stage in arm.stages if kind_of(stage, stages) not in kind_names()]
    for stage in unknown:
        if entry := entry_of(stage, stages):
            yield f"{stage}: there is no kind {entry.kind!r}; use one of {', '.join(kind_names())}"
            continue
        yield (
            f"there is no stage {stage!r}; an arm is {BASE}, a way of answering ({', '.join(answer_names())}) or "
            f"stages ({', '.join(sorted({*stages, *kind_names()}))}) joined by +"
        )
    if not unknown:
        yield from _order_problems(arm, stages)
        for stage in (one for one in arm.stages if find_kind(kind_of(one, stages)).makes == "targets"):
            yield f"{stage} makes what another stage learns `toward`, and no policy; take it out of the arm"
    if arm.name in arm.against:
        yield "it is compared with itself"


def _has_own_head(stage: str, stages: Entries) -> bool:
    kind = kind_of(stage, stages)
    return kind in kind_names() and hasattr(find_kind(kind), "own_head")


def _ends_with_head(arm: Arm, stages: Entries) -> bool:
    kind = kind_of(arm.stages[-1], stages) if arm.stages else ""
    return kind in kind_names() and bool(getattr(find_kind(kind), "trains_head", False))


def _order_problems(arm: Arm, stages: Entries) -> Iterator[str]:
    """Stages that stand behind another one than they must."""
    for before, stage in zip((None, *arm.stages), arm.stages, strict=False):
        kind, entry = find_kind(kind_of(stage, stages)), entry_of(stage, stages)
        if before is None and (kind.makes != "policy" or kind.needs(stage)):
            yield f"{stage} works with the policy of the stage before it, so it cannot be the first"
        if (other := named_model(stage, stages)) not in (None, arm.model):
            had = f"the model {arm.model}" if arm.model else "the study's model"
            yield f"{stage} is of the model {other}, and the stages before it are of {had}; an arm has one model"
        if comes_after_itself(stage, stages):
            continue  # which is said of the stage
        if entry and entry.after and (before or "").partition("@")[0] != entry.after.partition("@")[0]:
            yield f"{stage} comes after {entry.after}, and here after {before}"


def _control_problems(arm: Arm, arms: Sequence[Arm], stages: Entries) -> Iterator[str]:
    """A control's last stage must be able to go on, and what it is a control of must be another way to go on."""
    for number, stage in enumerate(arm.stages[:-1]):
        entry = entry_of(stage, stages)
        if (entry and entry.compute_of) or stage in arm.stages[:number][-1:]:
            yield f"{stage} goes on for the compute of another arm, so it must be the last stage"
    other = _control_of(arm, arms, stages)
    if other is None and not _goes_on(arm):
        return
    last = find_kind(kind_of(arm.stages[-1], stages)) if arm.stages else None
    if not getattr(last, "goes_on", False):
        yield "it has no last stage that can go on for the compute of another arm, as sft does"
        return
    begun = arm.parent
    found = next((one for one in arms if one.name == other and one.stages[: len(begun)] == begun), None)
    if found is None or len(found.stages) <= len(begun) or _control_of(found, arms, stages):
        yield (
            f"it goes on for the compute that another arm takes, so name an arm that begins with {'+'.join(begun)} and "
            f"takes another stage, or leave {arm.name} out"
        )


def _goes_on(arm: Arm) -> bool:
    """Whether its last stage is named twice in a row."""
    return len(arm.stages) > 1 and arm.stages[-1] == arm.stages[-2]


def _control_of(arm: Arm, arms: Sequence[Arm], stages: Entries) -> str | None:
    """The arm whose compute its last stage is given."""
    entry = entry_of(arm.stages[-1], stages) if arm.stages else None
    named = arm.control_of or (entry.compute_of if entry else None)
    return named or (_begun_alike(arm, arms) if _goes_on(arm) else None)


def _begun_alike(arm: Arm, arms: Sequence[Arm]) -> str | None:
    """The deepest other arm that begins as this one does without its last stage, and takes another one."""
    begun = arm.parent
    alike = [one for one in arms if one.shown_alike(arm)]
    others = [one for one in alike if one.stages[: len(begun)] == begun and one.stages[len(begun) :]]
    deepest = max((one for one in others if not _goes_on(one)), key=lambda one: len(one.stages), default=None)
    return deepest.name if deepest else None


def _with_comparators(arm: Arm, arms: Sequence[Arm]) -> Arm:
    """A trained arm is compared with the untouched ones, its parent and its control; further sources with the first.

    All of them are shown the same view. A simpler way is what others are compared with.
    """
    if arm.against or not arm.trained:
        return arm
    arms = [one for one in arms if one.shown_alike(arm)]
    if arm.simpler:
        without = [one.name for one in arms if not one.trained and not find_answer(one.answer).language_model]
        return arm.model_copy(update={"against": (*without, MAJORITY)})
    parent = [one.name for one in arms if one.stages and one.stages == arm.parent]
    without_sources = tuple(stage.partition("@")[0] for stage in arm.stages)
    plain = [one.name for one in arms if arm.source and one.stages == without_sources]
    if plain:
        return arm.model_copy(update={"against": (*plain, *parent)})
    if arm.control_of:
        return arm.model_copy(update={"against": tuple(parent)})
    controls = [one.name for one in arms if one.control_of == arm.name]
    untouched = [one.name for one in arms if not one.trained or one.simpler]
    return arm.model_copy(update={"against": (*untouched, *parent, *controls, MAJORITY)})


def _with_words(arm: Arm, arms: Sequence[Arm], stages: Entries) -> Arm:
    """Title and explanation, from the files of its stages and of its way of answering."""
    if not arm.trained:
        answer = find_answer(arm.answer)
        title, words = arm.title or _on_view(answer.title, arm), arm.explanation or answer.explanation
        phrase = arm.title or _on_view(answer.phrase, arm)
        return arm.model_copy(update={"title": title, "explanation": words, "phrase": phrase})
    found = [find_kind(kind_of(stage, stages)) for stage in arm.stages]
    names = [stage.partition("@")[0] for stage in arm.stages]
    title = "+".join(name if name in stages else kind.title for name, kind in zip(names, found, strict=True))
    usual = getattr(found[-1], "answer", GENERATE)
    if behind := [word for word in (arm.source.replace("_", " "), arm.answer) if word not in ("", usual)]:
        title += f" ({', '.join(behind)})"
    words = str(found[-1].explanation)
    if arm.control_of:
        treatment_stages = next(one.stages for one in arms if one.name == arm.control_of)
        other = find_kind(kind_of(treatment_stages[-1], stages)).title
        words = (
            f"{found[-1].title} for longer, as much as {other} cost: whether a gain of {other} is only a gain of more "
            "training."
        )
    title, words = arm.title or _on_view(title, arm), arm.explanation or words
    policies = sum(kind.makes == "policy" for kind in found)
    return arm.model_copy(update={"title": title, "explanation": words, "phrase": title, "policies": policies})


def _on_view(words: str, arm: Arm) -> str:
    words = f"{words} on {arm.view}" if arm.view else words
    return f"{words}, {arm.per_label} a label" if arm.per_label else words
