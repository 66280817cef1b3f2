"""Data: readers, preflight checks, splits by patient, and tokenisation with truncation to a maximum length."""

from preceptor.data._checks import NEAR_DUPLICATE
from preceptor.data._counterfactual import LeftOut, augmented, counterfactual
from preceptor.data._examples import Read, iso_day, read_examples
from preceptor.data._few import few_of_each_label, most_of_each_label
from preceptor.data._fit import TooLong, fit, fit_pair
from preceptor.data._frame import write_frame
from preceptor.data._header import describe_columns, has_header, meant_column, missing_header
from preceptor.data._inspect import Guess, inspect_table, looks_like_labels
from preceptor.data._label_sets import list_of
from preceptor.data._made_fields import (
    can_be_stated,
    made_field_cautions,
    made_field_problems,
    made_field_words,
    make_as_stated,
    stated_field,
    with_made_fields,
)
from preceptor.data._named_answers import NAMES_THE_ANSWER, Named, named_answers
from preceptor.data._near_duplicates import near_duplicates
from preceptor.data._preflight import Preflight, preflight
from preceptor.data._problems import did_you_mean, listed, quoted
from preceptor.data._reverse_substitution import Substituted, Substitution, find_long_forms, substitute
from preceptor.data._senses import (
    Senses,
    at_most,
    choose_senses,
    could_be_told_apart,
    left_out_by,
    most_of_a_sense,
)
from preceptor.data._set_column import SetColumn, set_column
from preceptor.data._short_forms import ShortForms, read_short_forms
from preceptor.data._spec import EACH_ROW, DataSpec
from preceptor.data._spike import Spike, spike_problems, spiked
from preceptor.data._split import Splits, cases_by_patient, split_by_patient
from preceptor.data._table import Table, read_table, reader_names, table_of
from preceptor.data._text_files import Row

__all__ = [
    "EACH_ROW",
    "NAMES_THE_ANSWER",
    "NEAR_DUPLICATE",
    "DataSpec",
    "Guess",
    "LeftOut",
    "Named",
    "Preflight",
    "Read",
    "Row",
    "Senses",
    "SetColumn",
    "ShortForms",
    "Spike",
    "Splits",
    "Substituted",
    "Substitution",
    "Table",
    "TooLong",
    "at_most",
    "augmented",
    "can_be_stated",
    "cases_by_patient",
    "choose_senses",
    "could_be_told_apart",
    "counterfactual",
    "describe_columns",
    "did_you_mean",
    "few_of_each_label",
    "find_long_forms",
    "fit",
    "fit_pair",
    "has_header",
    "inspect_table",
    "iso_day",
    "left_out_by",
    "list_of",
    "listed",
    "looks_like_labels",
    "made_field_cautions",
    "made_field_problems",
    "made_field_words",
    "make_as_stated",
    "meant_column",
    "missing_header",
    "most_of_a_sense",
    "most_of_each_label",
    "named_answers",
    "near_duplicates",
    "preflight",
    "quoted",
    "read_examples",
    "read_short_forms",
    "read_table",
    "reader_names",
    "set_column",
    "spike_problems",
    "spiked",
    "split_by_patient",
    "stated_field",
    "substitute",
    "table_of",
    "with_made_fields",
    "write_frame",
]
