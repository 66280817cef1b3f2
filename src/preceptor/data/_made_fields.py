"""Fields that a study makes of others, fitted on the training part: the `fields` block of a task's entry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from preceptor.data._problems import listed
from preceptor.data._split import Splits
from preceptor.data.fields import field_makers, find_field_maker
from preceptor.errors import InputError, Problem, invalid_entries, shortened
from preceptor.tasks import Example, Task

_MOST_PROBLEMS = 20
FieldEntry = Mapping[str, Any]
"""`{keywords_tfidf: note, count: 20}`: the maker and the field it reads, then the maker's settings."""


@dataclass(frozen=True, slots=True)
class _MadeField:
    maker: Any
    source: str
    settings: Any

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(getattr(self.settings, "needs", ()))

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.source, *self.needs)

    @property
    def name(self) -> str:
        return str(self.maker.__name__.rpartition(".")[2])

    @property
    def in_pieces(self) -> bool:
        return bool(getattr(self.maker, "makes_pieces", False))


def made_field_problems(entry: FieldEntry) -> Iterator[str]:
    """What is wrong with an entry in itself, whatever the task's fields are."""
    makers = [name for name in entry if name in field_makers()]
    if len(makers) != 1:
        yield f"name one maker and the field it reads, as `keywords_tfidf: note`; makers are {listed(field_makers())}"
        return
    if not isinstance(entry[makers[0]], str):
        yield f"{makers[0]}: name the field it reads"
    try:
        _settings(entry, makers[0])
    except ValidationError as error:
        for place, what, _ in invalid_entries(error, "setting"):
            yield f"{place or makers[0]}: {what}"


def with_made_fields(fields: Mapping[str, FieldEntry], task: Task, splits: Splits, where: str) -> Splits:
    """The cases with each made field beside their own; a field may be made of one that stands before it.

    Raises `InputError` for an entry that reads a field there is not, or has the name of one.
    """
    if problems := list(_problems(fields, task, where)):
        raise InputError(problems)
    for name, entry in fields.items():
        made = _made_field(entry)
        if refused := list(_refused(made, splits, f"{where}, fields.{name}")):
            raise InputError(refused)
        make = made.maker.fit(splits.train, made.source, task, made.settings)

        def extended(case: Example, name: str = name, make: Any = make) -> Example:
            return replace(case, fields={**case.fields, name: make(case)})

        splits = Splits(*(list(map(extended, part)) for part in (splits.train, splits.validation, splits.test)))
    return splits


def made_field_cautions(fields: Mapping[str, FieldEntry], task: Task, splits: Splits, where: str) -> list[Problem]:
    """What is not wrong with what was made, and worth knowing. splits: with the made fields."""
    found = []
    for name, entry in fields.items():
        made = _made_field(entry)
        if hasattr(made.maker, "caution"):
            make = made.maker.fit(splits.train, made.source, task, made.settings)
            if what := made.maker.caution(make, [*splits.train, *splits.validation, *splits.test]):
                fix = "Read some of these cases; other or more `terms` may find what decides them."
                found.append(Problem(f"{where}, fields.{name}", what, fix))
    return found


def made_field_words(fields: Mapping[str, FieldEntry]) -> dict[str, str]:
    """What each made field is, in words, as a task says of its own."""
    made = {name: _made_field(entry) for name, entry in fields.items()}
    return {name: f"{one.name} of {one.source}" for name, one in made.items()}


def can_be_stated(entry: FieldEntry, task: Task) -> bool:
    """Whether `stated_field` can say how the field is made of one that the task has."""
    made = _made_field(entry)
    return hasattr(made.maker, "from_stated") and made.source in task.fields


def stated_field(entry: FieldEntry, task: Task, train: Sequence[Example]) -> dict[str, Any]:
    """How a field is made, as JSON values with all that was fitted to training cases; for `make_as_stated`."""
    made = _made_field(entry)
    return {"maker": made.name, **made.maker.fit(train, made.source, task, made.settings).stated()}


def make_as_stated(stated: Mapping[str, Any]) -> Callable[[Example], str]:
    """What gives the field's text of an example."""
    make: Callable[[Example], str] = find_field_maker(stated["maker"]).from_stated(stated)
    return make


def _problems(fields: Mapping[str, FieldEntry], task: Task, where: str) -> Iterator[Problem]:
    known, pieces = list(task.fields), list[str]()
    for name, entry in fields.items():
        made, here = _made_field(entry), f"{where}, fields.{name}"
        if name in task.fields:
            yield Problem(here, "the task has a field of this name", "Take another name")
        for read in made.reads:
            if read not in known:
                below = ", which stands above it" if read in fields else ""
                yield Problem(here, f"there is no field {read}{below}", f"Fields are {listed(known)}")
            if read == task.evidence:
                what = f"{read} holds what the right answer rests on, and nobody who answers is shown it"
                yield Problem(here, what, "Make it of another field")
        for read in (one for one in made.needs if made.in_pieces and one in known and one not in pieces):
            fix = f"Name one that is: {listed(pieces)}" if pieces else "Make one that is above it"
            yield Problem(here, f"{read} is not made of snippets", fix)
        known.append(name)
        pieces += [name] if made.in_pieces else []


def _refused(made: _MadeField, splits: Splits, where: str) -> Iterator[Problem]:
    if hasattr(made.maker, "problems"):
        cases = [*splits.train, *splits.validation, *splits.test]
        found = list(made.maker.problems(made.source, made.settings, cases))
        yield from shortened(found, _MOST_PROBLEMS, where, "cases are refused", "Put them right as the ones above")


def _made_field(entry: FieldEntry) -> _MadeField:
    maker = next(name for name in entry if name in field_makers())
    return _MadeField(find_field_maker(maker), entry[maker], _settings(entry, maker))


def _settings(entry: FieldEntry, maker: str) -> BaseModel:
    settings: type[BaseModel] = find_field_maker(maker).Settings
    return settings.model_validate({name: value for name, value in entry.items() if name != maker})
