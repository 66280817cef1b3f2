"""A pair: two answers to one case, and where the rejected one came from."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pair:
    """Answers to the case `example_id`; `origin` names the maker of the rejected one. Its `repr` shows no text."""

    example_id: str
    chosen: str = field(repr=False)
    rejected: str = field(repr=False)
    origin: str
