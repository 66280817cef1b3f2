"""What a user says of a new study, beside its table."""

from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.data import EACH_ROW
from preceptor.models import EMBEDDED


@dataclass(frozen=True, slots=True)
class NewStudy:
    """text: the columns that the model reads; target: that of right answers, whose few short values make a label task,
    sets of few labels a task of several, and anything else a text task; group: the patient's, `each row` where every
    row is a different patient, None where nothing was said; date: a column not shown to the model. model, arms, margin:
    settings of the study, as it has them; arms: None for those that suit the answers.
    """

    text: Sequence[str]
    target: str
    group: str | None
    date: str | None = None
    model: str = EMBEDDED
    arms: Sequence[str] | None = None
    margin: float | None = None

    @property
    def patient(self) -> str | None:
        """The patient's column, where there is one."""
        return None if self.group == EACH_ROW else self.group
