import copy
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from preceptor.data import DataSpec
from preceptor.data._checks import check_template
from preceptor.data._fit import TooLong, fit
from preceptor.data._invalid_rows import InvalidRow, RowProblem
from preceptor.data._near_duplicates import near_duplicates
from preceptor.data._preflight import Preflight, preflight
from preceptor.data._split import Splits
from preceptor.errors import InputError
from preceptor.study import TaskEntry
from preceptor.tasks import Example, Task, load_task

SECRET = "Xanthippe"  # stands in every note, and must never come out
TASK = Task.model_validate(
    {
        "name": "sample",
        "title": "t",
        "question": "q",
        "source": "s",
        "fields": {"age": "years", "note": "the note"},
        "instruction": "Answer yes or no.",
        "prompt": "{age}\n{note}",
        "cut": "note",
        "answer": {"kind": "label", "labels": {"yes": "", "no": ""}, "max_new_tokens": 4},
        "metric": "accuracy",
    }
)


def case(number: int, **changes: Any) -> Example:
    words = " ".join(f"finding{number}x{i}" for i in range(12))
    fields = {"age": str(20 + number), "note": f"{SECRET} {words}"}
    return replace(Example(f"c{number}", f"p{number}", fields, "yes" if number % 2 else "no"), **changes)


def sound() -> Splits:
    cases = [case(i) for i in range(60)]
    return Splits(cases[:30], cases[30:36], cases[36:])


def fly(splits: Splits, tokenizer: Any, task: Task = TASK, max_length: int = 400) -> Preflight:
    return preflight(task, splits, tokenizer, max_length)


def test_sound_data_has_nothing_to_put_right(tiny_tokenizer: Any) -> None:
    flight = fly(sound(), tiny_tokenizer)
    assert flight.findings == ()
    assert flight.fatal == []
    assert flight.counts["train"].cases == 30
    assert flight.counts["test"].labels == {"yes": 12, "no": 12}
    train = flight.lengths["train"]
    assert 0 < train.shortest <= train.median <= train.p95 <= train.longest <= 400
    assert train.cases_cut == 0


Change = Callable[[Splits], None]


def change_case(part: str, place: int, **changes: Any) -> Change:
    def change(splits: Splits) -> None:
        cases = getattr(splits, part)
        cases[place] = replace(cases[place], **changes)

    return change


FATAL: dict[str, tuple[Change, str, str]] = {
    "patient on both sides": (change_case("test", 0, group="p3"), "patient p3", "more than one of train"),
    "id twice": (change_case("test", 0, id="c3"), "case c3", "more than once"),
    "missing field": (change_case("train", 4, fields={"age": "3"}), "train case c4", "are missing"),
    "nothing written": (change_case("train", 4, fields={"age": "", "note": " "}), "train case c4", "no text"),
    "empty answer": (change_case("train", 4, target=" "), "train case c4", "answer is empty"),
    "unknown label": (change_case("validation", 1, target="perhaps"), "validation case c31", "labels"),
    "identical pair": (change_case("train", 5, rejected="yes"), "train case c5", "identical"),
    "one label in training": (
        lambda splits: splits.train.__setitem__(slice(None), [replace(one, target="no") for one in splits.train]),
        "train cases",
        "label no",
    ),
    "no test": (lambda splits: splits.test.clear(), "test cases", "none"),
    "no validation": (lambda splits: splits.validation.clear(), "validation cases", "none"),
    "answer too long": (
        change_case("train", 2, target="no" + " dysuria" * 500), "train case c2", "cannot fit"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FATAL)
def test_what_is_fatal_is_said_with_its_case(name: str, tiny_tokenizer: Any) -> None:
    change, where, what = FATAL[name]
    splits = sound()
    change(splits)
    fatal = fly(splits, tiny_tokenizer).fatal
    assert any(problem.where == where and what in problem.what for problem in fatal), fatal


def test_what_can_be_done_about_an_empty_split_is_something_that_a_study_has(tiny_tokenizer: Any) -> None:
    splits = sound()
    splits.test.clear()
    (problem,) = [one for one in fly(splits, tiny_tokenizer).fatal if one.what == "there are none"]
    settings = {*re.findall(r"`(\w+)`", problem.fix)}
    assert settings
    assert settings <= {*TaskEntry.model_fields, *DataSpec.model_fields}
    assert "fraction" not in problem.fix


def test_everything_is_said_at_once(tiny_tokenizer: Any) -> None:
    splits = sound()
    for name in ("patient on both sides", "missing field", "unknown label", "identical pair", "answer too long"):
        FATAL[name][0](splits)
    assert len(fly(splits, tiny_tokenizer).fatal) >= 5


WARNINGS: dict[str, tuple[Change, str, str]] = {
    "few patients": (lambda splits: splits.test.__delitem__(slice(10, None)), "test cases", "only 10 patients"),
    "repeat": (change_case("train", 1, fields=case(3).fields, target="no"), "train case c3", "repeat"),
    "conflict": (
        change_case("train", 1, fields=case(3).fields, target="no"), "train cases c1, c3", "different answers"
    ),
    "near-duplicate": (
        change_case("test", 0, fields={"age": "23", "note": case(3).fields["note"] + " more"}),
        "test case c36 ~ c3", "1 of 24 nearly repeat",
    ),
    "cut": (
        change_case("train", 0, fields={"age": "3", "note": "fever " * 900}), "train case c0", "field note is cut"
    ),
    "answer in a field": (
        lambda splits: splits.train.__setitem__(
            slice(None), [replace(one, fields=one.fields | {"age": one.target}) for one in splits.train]
        ),
        "train cases", "field age holds the case's own label in 100%",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WARNINGS)
def test_what_one_should_know_does_not_stop(name: str, tiny_tokenizer: Any) -> None:
    change, where, what = WARNINGS[name]
    splits = sound()
    change(splits)
    flight = fly(splits, tiny_tokenizer)
    assert flight.fatal == []
    assert any(one.problem().where == where and what in one.what for one in flight.findings), flight.findings


def test_a_label_training_never_shows_is_a_warning(tiny_tokenizer: Any) -> None:
    answer = TASK.answer.model_copy(update={"labels": {"yes": "", "no": "", "unclear": ""}})
    splits = sound()
    change_case("test", 0, target="unclear")(splits)
    flight = fly(splits, tiny_tokenizer, TASK.model_copy(update={"answer": answer}))
    assert [one.where for one in flight.findings] == ["train cases"]
    assert "unclear" in flight.findings[0].what


def test_rows_the_reader_left_out_are_shown(tiny_tokenizer: Any) -> None:
    empty = RowProblem("no_answer", "the answer is empty", "Fill it")
    unknown = RowProblem(
        "unknown_label", "the label is not one of the task's", "Map it", "label `c9` is not one", "c9? "
    )
    wrong = {7: empty, 8: unknown, 9: empty}
    refused = [InvalidRow("", "", "", "notes.csv", "row", number, one) for number, one in wrong.items()]
    flight = preflight(TASK, sound(), tiny_tokenizer, 400, refused)
    assert [str(one.problem()) for one in flight.findings] == [
        "notes.csv, rows 7, 9: the answer is empty. Fill it",
        "notes.csv, row 8: the label is not one of the task's. Map it",
    ]
    assert [one.where for one in flight.findings] == ["notes.csv, rows"] * 2
    assert flight.fatal == []


def test_no_sentence_of_a_finding_names_a_case_and_every_kind_has_a_code(tiny_tokenizer: Any) -> None:
    found = set()
    for change, _, _ in [*FATAL.values(), *WARNINGS.values()]:
        splits = sound()
        change(splits)
        for one in fly(splits, tiny_tokenizer).findings:
            found.add(one.code)
            said = f"{one.where} {one.what} {one.fix}"
            assert not re.search(r"\b[cp]\d", said), said
            told = one.to_json()
            assert (told["code"], told["cases"]) == (one.code, len(one.ids))
    assert found == {
        "patient_in_two_splits", "doubled_id", "missing_fields", "no_text", "no_answer", "unknown_label",
        "identical_pair", "one_label", "no_cases", "too_long", "few_patients", "repeat", "contradiction",
        "near_duplicate", "cut", "label_not_in_training", "names_the_answer",
    }  # fmt: skip


def test_case_text_stays_inside(tiny_tokenizer: Any) -> None:
    splits = sound()
    for change, _, _ in [*FATAL.values(), *WARNINGS.values()]:
        if splits.test and splits.validation:
            change(splits)
    splits.train[7] = replace(splits.train[7], fields={"age": "1", "note": f"{SECRET} " * 500})
    flight = fly(splits, tiny_tokenizer, max_length=60)
    console = Console(file=io.StringIO(), width=200)
    flight.render(console)
    shown = console.file.getvalue() + json.dumps(flight.to_json()) + repr(flight)  # type: ignore[attr-defined]
    assert flight.fatal
    assert SECRET not in shown
    assert "finding1x" not in shown


def test_a_note_that_was_mistaken_for_the_id_or_the_patient_stays_inside(tiny_tokenizer: Any) -> None:
    def mistaken(example: Example) -> Example:
        return replace(example, id=f"{SECRET} {example.id} " * 5, group=f"{SECRET}\n{example.group}")

    splits = Splits(*([mistaken(one) for one in part] for part in (sound().train, sound().validation, sound().test)))
    change_case("train", 4, group=splits.test[0].group)(splits)
    change_case("test", 5, fields=splits.train[5].fields)(splits)
    console = Console(file=io.StringIO(), width=400)
    for max_length in (400, 20):
        flight = fly(splits, tiny_tokenizer, max_length=max_length)
        flight.render(console)
        assert SECRET not in str(InputError(flight.fatal))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert SECRET not in shown
    assert "test case a text of 70 characters ~ a text of 65 characters: 1 of 24 nearly repeat" in shown
    assert "fatal train cases a text of 65 characters, a text of 65 characters" in shown
    with pytest.raises(TooLong, match="case a text of 65 characters"):
        fit(TASK, splits.train[0], tiny_tokenizer, 20, "no")


def test_where_no_case_fits_there_are_no_lengths_to_show(tiny_tokenizer: Any) -> None:
    console = Console(file=io.StringIO(), width=200)
    fly(sound(), tiny_tokenizer, max_length=20).render(console)
    rows = [row.split() for row in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert ["│", "tokens,", "median", "│", "-", "│", "-", "│", "-", "│"] in rows
    assert ["│", "cases", "cut", "│", "-", "│", "-", "│", "-", "│"] in rows


def test_the_table_shows_counts_and_findings(tiny_tokenizer: Any) -> None:
    splits = sound()
    change_case("train", 4, id="[bold]", target="")(splits)
    console = Console(file=io.StringIO(), width=200)
    fly(splits, tiny_tokenizer).render(console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "fatal train case [bold]: the answer is empty" in shown
    assert "patients" in shown
    assert "tokens, p95" in shown


def test_free_text_and_finished_turns_need_no_labels_or_fields(tiny_tokenizer: Any) -> None:
    def turns(number: int) -> Example:
        content = " ".join(f"question{number}x{i}" for i in range(12))
        target = f"answer {number}"
        return Example(f"c{number}", f"p{number}", {}, target, prompt=({"role": "user", "content": content},))

    cases = [turns(i) for i in range(40)]
    flight = preflight(load_task("as_given"), Splits(cases[:15], cases[15:18], cases[18:]), tiny_tokenizer, 600)
    assert flight.findings == ()
    assert flight.counts["train"].labels == {}


def test_a_template_that_drops_the_instruction_is_fatal(tiny_tokenizer: Any) -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer)
    assert check_template(TASK, tokenizer) == []
    # Keeps the two texts by which a tokenizer is tested when it is loaded, and drops any other system turn.
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{{ '<|im_start|>'", "{% if message['role'] == 'system' and message['content'] != 'Instruction' %}"
        "{% set message = {'role': 'system', 'content': ''} %}{% endif %}{{ '<|im_start|>'", 1
    )  # fmt: skip
    assert [one.what for one in check_template(TASK, tokenizer)] == [
        "the instruction (system message) does not reach the prompt"
    ]


def test_a_template_that_writes_the_date_is_sound(tiny_tokenizer: Any) -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer)
    date = "{% if not date_string %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}{{ date_string }}"
    tokenizer.chat_template = date + tokenizer.chat_template
    assert fly(sound(), tokenizer).findings == ()


def test_turns_that_the_template_refuses_are_named_by_their_cases(tiny_tokenizer: Any) -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer)
    refuse = "{% if messages|length > 3 %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    tokenizer.chat_template = refuse + tokenizer.chat_template
    splits = sound()
    turns = ({"role": "user", "content": SECRET},) * 4
    for place in (3, 5):
        change_case("train", place, prompt=turns)(splits)
    change_case("train", 8, target="no" + " dysuria" * 500)(splits)
    fatal = [one for one in fly(splits, tokenizer).findings if one.level == "fatal"]
    assert [one.ids for one in fatal] == [("c8",), ("c3", "c5")]
    assert fatal[1].problem().where == "train cases c3, c5"
    assert fatal[1].what == "the chat template refuses them: Roles must alternate"


def test_near_duplicates_are_found_among_thousands() -> None:
    texts = [" ".join(f"w{(i * 31 + j * j) % 997}" for j in range(60)) for i in range(900)]
    changed = texts[5].split()
    changed[30] = "other"
    duplicates = near_duplicates([" ".join(changed), "nothing like it at all", "", texts[7].upper()], texts)
    assert [(duplicate.held_out, duplicate.seen) for duplicate in duplicates] == [(0, 5), (3, 7)]
    assert duplicates[0].cosine == pytest.approx(55 / 58, abs=0.01)
    assert duplicates[1].cosine == pytest.approx(1)
    assert near_duplicates([], texts) == near_duplicates(texts[:1], []) == []


def test_sets_are_counted_by_label_and_empty_or_unseen_ones_found(tiny_tokenizer: Any) -> None:
    """LEADER traps 11 and 12: labels that training never shows, and cases without any, are counted and named."""
    answer = {"kind": "labels", "labels": {"fever": "", "cough": "", "rash": ""}, "empty": "none", "max_new_tokens": 8}
    task = Task.model_validate(TASK.model_dump() | {"answer": answer, "metric": "jaccard"})
    target = ["fever; cough", "fever", "none"]
    cases = [case(i, target=target[i % 3]) for i in range(60)]
    cases[59] = case(59, target="cough; rash")
    flight = fly(Splits(cases[:30], cases[30:36], cases[36:]), tiny_tokenizer, task)
    assert flight.counts["train"].labels == {"fever": 20, "cough": 10, "rash": 0}
    found = {(one.code, one.split): one for one in flight.findings}
    assert len(found["empty_set", "train"].ids) == 10
    assert "rash" in found["label_not_in_training", "train"].what
    assert flight.fatal == []
    short = task.model_copy(update={"answer": task.answer.model_copy(update={"max_new_tokens": 4})})
    found = {one.code: one for one in fly(Splits(cases[:30], cases[30:36], cases[36:]), tiny_tokenizer, short).findings}
    assert {cases[int(id[1:])].target for id in found["answer_cut"].ids} == {"fever; cough"}
    same = [case(i, target="fever") for i in range(60)]
    flight = fly(Splits(same[:30], same[30:36], same[36:]), tiny_tokenizer, task)
    assert {one.code for one in flight.findings if one.level == "fatal"} == {"one_label"}
