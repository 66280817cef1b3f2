import copy
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from preceptor.data._fit import TRUNCATION_MARK, Fitted, TooLong, fit, fit_pair, truncate_middle
from preceptor.errors import InputError
from preceptor.models import ModelSource, encode, load_tokenizer, snippets_of, stop_tokens
from preceptor.tasks import Example, Task
from preceptor.text_pieces import join_pieces, pieces_of

INSTRUCTION = "Answer with one of the labels: yes or no."
WORDS = ["fever", "creatinine", "1.2", "mg/dL", "patient", "no", "pain", "naïve", "ärztlich", "\n", "  ", "38.0"]


def make_task(cut: str | None = "note") -> Task:
    return Task.model_validate(
        {
            "name": "sample",
            "title": "t",
            "question": "q",
            "source": "s",
            "fields": {"age": "years", "note": "the note"},
            "instruction": INSTRUCTION,
            "prompt": "Age {age}\n{note}\nFever?",
            "cut": cut,
            "answer": {"kind": "label", "labels": {"yes": "", "no": ""}, "max_new_tokens": 4},
            "metric": "accuracy",
        }
    )


def make_example(note: str, **more: Any) -> Example:
    return Example("case-7", "p1", {"age": "64", "note": note}, "yes", **more)


def long_note(words: int, seed: int = 0) -> str:
    dice = random.Random(seed)
    return "START " + " ".join(dice.choice(WORDS) for _ in range(words)) + " END"


def test_a_case_that_fits_is_left_alone(tiny_tokenizer: Any) -> None:
    task, example = make_task(), make_example("fever 38.0")
    fitted = fit(task, example, tiny_tokenizer, 400, "yes")
    assert fitted.encoded == encode(tiny_tokenizer, [dict(one) for one in task.messages(example)], "yes")
    assert fitted.truncated_tokens == 0


def test_only_the_middle_of_the_cut_field_goes(tiny_tokenizer: Any) -> None:
    fitted = fit(make_task(), make_example(long_note(2000)), tiny_tokenizer, 300, "no")
    prompt = tiny_tokenizer.decode(fitted.encoded.prompt)
    assert INSTRUCTION in prompt
    assert "Age 64\nSTART" in prompt
    assert "END\nFever?" in prompt
    assert prompt.count(TRUNCATION_MARK) == 1
    assert prompt.endswith("assistant\n")
    assert fitted.encoded.answer[-1] in stop_tokens(tiny_tokenizer)
    assert tiny_tokenizer.decode(fitted.encoded.answer[:-1]) == "no"
    assert fitted.truncated_tokens > 1000


@settings(max_examples=40, deadline=None)
@example(note="01\x80\x80\U00010000", limit=48, reserve=0)  # tokens merge at the seams of its shortest cut
@given(note=st.text(max_size=400), limit=st.integers(20, 400), reserve=st.integers(0, 30))
def test_never_longer_than_the_limit_or_refused_by_name(
    tiny_tokenizer: Any, note: str, limit: int, reserve: int
) -> None:
    outcome = fit_or_refuse(make_example(note), tiny_tokenizer, limit, reserve)
    if isinstance(outcome, TooLong):
        assert "case-7" in str(outcome)
        assert outcome.tokens > outcome.limit == limit
        return
    encoded = outcome.encoded
    assert len(encoded.prompt) + max(reserve, len(encoded.answer)) <= limit
    bare = encode(tiny_tokenizer, [dict(one) for one in make_task().messages(make_example(""))], "yes")
    assert encoded.answer == bare.answer
    assert tiny_tokenizer.decode(encoded.prompt).endswith("\nFever?<|im_end|>\n<|im_start|>assistant\n")


def fit_or_refuse(example: Example, tokenizer: Any, limit: int, reserve: int) -> Fitted | TooLong:
    try:
        return fit(make_task(), example, tokenizer, limit, "yes", max_new_tokens=reserve)
    except TooLong as error:
        return error


def test_the_limit_is_used_up(tiny_tokenizer: Any) -> None:
    fitted = fit(make_task(), make_example(long_note(3000)), tiny_tokenizer, 500, "yes")
    assert 490 <= len(fitted.encoded.prompt) + len(fitted.encoded.answer) <= 500


def test_the_named_least_limit_is_enough(tiny_tokenizer: Any) -> None:
    example = make_example(long_note(300))
    with pytest.raises(TooLong) as caught:
        fit(make_task(), example, tiny_tokenizer, 10, "yes")
    needed = caught.value.tokens
    # Tokens may merge differently at the seams of the cut, hence a few more.
    assert fit(make_task(), example, tiny_tokenizer, needed + 3, "yes").truncated_tokens > 0


def test_room_is_kept_for_what_will_be_generated(tiny_tokenizer: Any) -> None:
    fitted = fit(make_task(), make_example(long_note(2000)), tiny_tokenizer, 400, max_new_tokens=150)
    assert fitted.encoded.answer == []
    assert 240 <= len(fitted.encoded.prompt) <= 250


def test_a_pair_shares_one_prompt_cut_for_the_longer_answer(tiny_tokenizer: Any) -> None:
    longer = "The patient has fever 38.0 C and dysuria since day 3. " * 3
    example = make_example(long_note(2000))
    pair = fit_pair(make_task(), example, tiny_tokenizer, 400, "no", longer)
    swapped = fit_pair(make_task(), example, tiny_tokenizer, 400, longer, "no")
    assert pair.chosen.prompt == pair.rejected.prompt == swapped.chosen.prompt
    assert 390 <= len(pair.rejected.prompt) + len(pair.rejected.answer) <= 400
    assert pair.chosen.answer == swapped.rejected.answer
    assert tiny_tokenizer.decode(pair.rejected.answer[:-1]) == longer.strip()


@pytest.mark.parametrize(
    ("task", "example"),
    [
        (make_task(cut=None), make_example(long_note(500))),
        (make_task(), make_example("", prompt=({"role": "user", "content": long_note(500)},))),
        (make_task(cut="age"), make_example(long_note(500))),
    ],
    ids=["no field may be cut", "finished turns", "another field is the long one"],
)
def test_what_cannot_fit_is_refused_without_its_text(tiny_tokenizer: Any, task: Task, example: Example) -> None:
    with pytest.raises(TooLong) as caught:
        fit(task, example, tiny_tokenizer, 128, "yes")
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert all(part in message for part in ("case-7", "128", str(caught.value.tokens), "max_length"))
    assert "creatinine" not in message


def test_turns_that_the_template_refuses_name_their_case(tiny_tokenizer: Any) -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = "{% if messages|length > 3 %}{{ raise_exception('odd') }}{% endif %}" + str(
        tokenizer.chat_template
    )
    example = make_example("", prompt=({"role": "user", "content": "creatinine"},) * 4)
    with pytest.raises(InputError, match="case case-7: the chat template refuses them: odd") as caught:
        fit(make_task(), example, tokenizer, 128)
    assert "creatinine" not in str(caught.value)


def test_an_answer_too_long_by_itself_is_refused(tiny_tokenizer: Any) -> None:
    with pytest.raises(TooLong):
        fit(make_task(), make_example("fever"), tiny_tokenizer, 128, "dysuria " * 400)


def test_a_note_of_100_000_tokens_is_tokenised_whole_only_twice(
    tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = "creatinine " * 100_000
    sizes: list[int] = []

    def counting(tokenizer: Any, messages: Any, answer: str | None) -> Any:
        sizes.append(sum(len(message["content"]) for message in messages))
        return encode(tokenizer, messages, answer)

    monkeypatch.setattr("preceptor.models.encode", counting)
    fitted = fit(make_task(), make_example(note), tiny_tokenizer, 256, "yes")
    assert fitted.truncated_tokens > 90_000
    assert sum(size > 10_000 for size in sizes) == 1  # the other time is the field with its offsets
    assert len(sizes) <= 6


def test_the_instruction_is_the_same_token_prefix_for_every_case(tiny_tokenizer: Any) -> None:
    task = make_task()
    notes = ["fever", " \nleading space", "ärztlich", "", long_note(900)]
    shared = encode(tiny_tokenizer, [{"role": "system", "content": INSTRUCTION}], None).prompt
    instruction_ids = shared[: len(shared) - len(tiny_tokenizer("<|im_start|>assistant\n")["input_ids"])]
    for note in notes:
        prompt = fit(task, make_example(note), tiny_tokenizer, 400, "yes").encoded.prompt
        assert prompt[: len(instruction_ids)] == instruction_ids


@given(text=st.text(min_size=1, max_size=60), data=st.data())
def test_cut_middle_keeps_both_ends(text: str, data: st.DataObject) -> None:
    spans = [(i, i + 1) for i in range(len(text))]  # a character is a token
    kept = data.draw(st.integers(1, len(text)))
    head, mark, tail = truncate_middle(text, spans, kept).partition(TRUNCATION_MARK)
    assert mark
    assert text.startswith(head)
    assert text.endswith(tail)
    assert len(head) + len(tail) <= kept


def test_snippets_are_lines_to_a_causal_model_and_pieces_to_an_encoder(
    tiny_tokenizer: Any, encoder_source: ModelSource
) -> None:
    task, parted, lines = make_task(), make_example("fever\x1eno pain"), make_example("fever\nno pain")
    assert fit(task, parted, tiny_tokenizer, 400).encoded == fit(task, lines, tiny_tokenizer, 400).encoded
    tokenizer = load_tokenizer(encoder_source)
    first, second = snippets_of(fit(task, parted, tokenizer, 400).encoded.prompt)
    assert tokenizer.decode(first).endswith(" fever [SEP]")
    assert tokenizer.decode(second).startswith("[CLS] no p")
    assert len(snippets_of(fit(task, lines, tokenizer, 400).encoded.prompt)) == 1


def visits_task() -> Task:
    return make_task().model_copy(update={"cut_at": "start"})


@given(count=st.integers(1, 30), limit=st.integers(120, 400))
@settings(max_examples=25, deadline=None)
def test_of_a_field_that_is_cut_at_its_start_the_oldest_lines_go(tiny_tokenizer: Any, count: int, limit: int) -> None:
    """Trap 3 of LEADER: a long history loses its oldest visit, and the question behind it is always there."""
    lines = [f"Visit {number}: fever, creatinine 1.2 mg/dL" for number in range(count)]
    task, whole = visits_task(), make_example("\n".join(lines))
    try:
        fitted = fit(task, whole, tiny_tokenizer, limit, "yes")
    except TooLong:
        shortest = make_example(f"{TRUNCATION_MARK.strip()}\n{lines[-1]}" if count > 1 else lines[0])
        assert _length(task, shortest, tiny_tokenizer) > limit
        return
    assert len(fitted.encoded.prompt) + len(fitted.encoded.answer) <= limit
    kept = fitted.example.fields["note"].splitlines()
    assert tiny_tokenizer.decode(fitted.encoded.prompt).count("Fever?") == 1
    if fitted.truncated_tokens == 0:
        assert kept == lines
        return
    assert kept[0] == TRUNCATION_MARK.strip()
    assert kept[1:] == lines[-len(kept[1:]) :]
    one_more = make_example("\n".join([kept[0], *lines[-len(kept) :]]))
    assert len(kept) == count or _length(task, one_more, tiny_tokenizer) > limit


def test_snippets_that_are_left_at_a_start_stay_apart(encoder_source: ModelSource) -> None:
    tokenizer = load_tokenizer(encoder_source)
    snippets = [f"snippet {number} of a long note" for number in range(8)]
    whole = fit(visits_task(), make_example(join_pieces(snippets)), tokenizer, 1000)
    fitted = fit(visits_task(), make_example(join_pieces(snippets)), tokenizer, len(whole.encoded.prompt) - 20)
    first, *others = pieces_of(fitted.example.fields["note"])
    assert first.startswith(TRUNCATION_MARK.strip())
    assert [first.splitlines()[-1], *others] == snippets[-1 - len(others) :]
    assert 0 < len(others) < len(snippets) - 1
    assert len(snippets_of(fitted.encoded.prompt)) == 1 + len(others)


def _length(task: Task, case: Example, tokenizer: Any) -> int:
    encoded = encode(tokenizer, [dict(one) for one in task.messages(case)], "yes")
    return len(encoded.prompt) + len(encoded.answer)
