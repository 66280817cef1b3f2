"""How visits of `medication` are told: by the names of what was found, done and given."""

from collections.abc import Sequence

from preceptor.tasks.cases._wording import Side

LAYOUTS: dict[Side, tuple[str, ...]] = {
    "train": (
        "Visit {number}: diagnoses {diagnoses}; procedures {procedures}; drugs {drugs}.",
        "Visit {number}. Found: {diagnoses}. Done: {procedures}. Given: {drugs}.",
    ),
    "test": ("Stay {number} - diagnosed {diagnoses} - procedures {procedures} - treated with {drugs}.",),
}
"""The wording families: a visit in one line."""
OPEN = "?"
"""In place of the drugs of the present visit."""
FIRST = "No earlier visit."
_NONE = "none"


def by_names(
    layout: str, number: int, diagnoses: Sequence[str], procedures: Sequence[str], drugs: Sequence[str] | None
) -> str:
    """A visit in words; drugs: None for the present visit."""
    return layout.format(
        number=number,
        diagnoses=", ".join(diagnoses) or _NONE,
        procedures=", ".join(procedures) or _NONE,
        drugs=OPEN if drugs is None else ", ".join(drugs) or _NONE,
    )
