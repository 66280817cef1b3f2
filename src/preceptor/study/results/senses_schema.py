"""What `results.json` says of a stage that learned senses of short forms from texts."""

from pydantic import BaseModel

from preceptor.study.results.schema_values import STRICT, Count, Difference, Interval, Unit


class _Part(BaseModel):
    model_config = STRICT


class Rate(_Part):
    """A share of cases with its 95% interval, patients resampled."""

    value: Unit
    ci: Interval | None = None


class Gain(_Part):
    """A difference of two such shares."""

    value: Difference
    ci: Interval | None = None


class SensesTold(_Part):
    """How often the right sense was told: `within` the senses of its own short form, `over_all` senses; `commonest`:
    how often it is the commonest of its short form in training; gain: within minus commonest.
    """

    cases: Count
    patients: Count
    within: Rate
    over_all: Rate
    commonest: Rate
    gain: Gain


class CommonSense(_Part):
    """A sense with its short form, and how many training cases it has."""

    short: str
    sense: str
    cases: Count


class SenseCounts(_Part):
    """Cases of each part."""

    train: Count
    validation: Count
    test: Count


class SenseFindings(_Part):
    """What the texts gave, what was left out, and how well senses are told on texts that nothing was learned from.

    documents: texts that were read; `held_out_documents`, `near_duplicates`, `not_drawn`: left out of a corpus.
    long_forms: found in the texts; `stopped` of them are on the stop list, `replaced` became short forms. Of these,
    training cases of senses
    that are `rare` or the `only_sense` of their short form are left out, `unknown` cases of other parts, and
    `not_sampled` ones beyond `most_of_a_sense`; `without_token`: short forms that the tokenizer drops. shuffled: senses
    were exchanged, as a control. sees_left_only: a causal model. written_out: cases whose sense stands elsewhere in
    their text; `not_written_out` are the others. None where there are no such cases.
    """

    shuffled: bool
    sees_left_only: bool
    documents: Count
    held_out_documents: Count
    near_duplicates: Count
    not_drawn: Count | None = None
    long_forms: Count
    stopped: Count
    replaced: Count
    rare: Count
    only_sense: Count
    unknown: Count
    not_sampled: Count
    most_of_a_sense: Count
    without_token: Count
    short_forms: Count
    senses: Count
    cases: SenseCounts
    commonest: list[CommonSense]
    written_out: Count
    all: SensesTold | None = None
    not_written_out: SensesTold | None = None
