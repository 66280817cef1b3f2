"""From chat turns to token ids: only the template writes control tokens; the content of a turn is always text."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import jinja2
from tokenizers import Tokenizer

from preceptor.errors import InputError, Problem
from preceptor.models._tokens import Encoded

# Variables that some templates read: no reasoning block before the answer, and a fixed date, where a template would
# otherwise insert the current one and change the prompt of a case from day to day.
_TODAY = date(2024, 7, 26)
_TEMPLATE_ARGUMENTS = {"enable_thinking": False, "date_string": f"{_TODAY:%d %b %Y}"}
# Prepended to a template, this shadows the function that returns the current date, since `apply_chat_template` passes
# no functions on. Jinja drops the line end after it. Other format codes are left as they are.
_DATE_MACRO = (
    "{%- macro strftime_now(format) -%}{{ format"
    + "".join(f" | replace('%{sign}', '{_TODAY.strftime(f'%{sign}')}')" for sign in "aAbBdHIjmMpSyY")
    + " }}{%- endmacro %}\n"
)
_PRIVATE_USE = range(0xE000, 0xF900)


@dataclass(frozen=True)
class _Template:
    """What a chat template writes around an answer: `lead` + answer + `trail` + the token `stop`.

    `control` matches the strings that become control tokens: special tokens, and added ones that the template writes.
    """

    lead: str
    trail: str
    stop: int
    control: re.Pattern[str]


def check_tokenizer(tokenizer: Any, where: str) -> None:
    """Raises `InputError` when the template drops a turn or cannot end an answer; `where` names the model."""
    try:
        _template(tokenizer)
    except (jinja2.TemplateError, ValueError) as error:
        fix = "Use a model whose template takes a system, a user and an assistant turn, or correct chat_template.jinja."
        raise InputError(Problem(where, f"its chat template cannot be used: {error}", fix)) from error


def encode(tokenizer: Any, messages: Sequence[Mapping[str, str]], answer: str | None) -> Encoded:
    """Tokenise a prompt and, apart from it, the answer the assistant gives to it.

    The prompt's ids are those of the model's chat template. A string such as `<|im_end|>` inside a message or an
    answer is tokenised as plain text, so no content can close a turn or open another (prompt injection).
    The answer's ids are those the template gives the assistant's turn, stop token included; white space around the
    answer is stripped. Prompt and answer are tokenised separately, so the prompt's ids do not depend on the answer.
    `answer=None` gives no answer ids. Raises `InputError` when the template refuses the order of the turns.
    """
    masks = _masks(tokenizer, [message["content"] for message in messages])
    masked = [{**message, "content": _replace(message["content"], masks)} for message in messages]
    try:
        prompt = _ids(tokenizer, _render(tokenizer, masked, add_generation_prompt=True), masks)
    except jinja2.TemplateError:  # its message may repeat a case's text
        why = _refusal(tokenizer, [message["role"] for message in messages])
        fix = "Give a system turn, if any, then user and assistant turns in alternation, a user turn last."
        raise InputError(Problem("chat turns", f"the chat template refuses them: {why}", fix)) from None
    return Encoded(prompt, [] if answer is None else encode_answer(tokenizer, answer))


def encode_answer(tokenizer: Any, answer: str) -> list[int]:
    """The ids of an answer as `encode` gives them, stop token included; of "" mostly the stop token alone."""
    template, answer = _template(tokenizer), answer.strip()
    masks = _masks(tokenizer, [answer])
    turn = template.lead + _replace(answer, masks) + template.trail
    return [*_ids(tokenizer, turn, masks), template.stop]


def encode_text(tokenizer: Any, text: str) -> list[int]:
    """The ids of a text that belongs to no chat; a string such as `<|im_end|>` in it is tokenised as plain text.

    Unlike a call of `tokenizer` with `split_special_tokens`, it leaves no setting behind for the texts that follow.
    """
    return _plain_ids(text_tokenizer(tokenizer), text)


def _refusal(tokenizer: Any, roles: Sequence[str]) -> str:
    """The chat template's error message for turns of these roles, with placeholder texts."""
    try:
        _render(tokenizer, [{"role": role, "content": "..."} for role in roles], add_generation_prompt=True)
    except jinja2.TemplateError as error:
        return str(error)
    return "not for their order, but for something that stands in a text"


def stop_tokens(tokenizer: Any) -> frozenset[int]:
    """The ids that end generation: the token that the template writes after an answer, and the tokenizer's EOS."""
    return frozenset({_template(tokenizer).stop, tokenizer.eos_token_id} - {None})


def measured_template(tokenizer: Any) -> str:
    """The chat template with the variables that are fixed here set inside it, for other programs.

    Rendered by transformers, vLLM or llama.cpp it gives the prompts of `encode`: no reasoning block, a fixed date.
    Templates that use neither are returned unchanged.
    """
    template: str = tokenizer.get_chat_template()
    fixed = [
        f"{{%- set {name} = {str(value).lower() if isinstance(value, bool) else repr(value)} %}}\n"
        for name, value in _TEMPLATE_ARGUMENTS.items()
        if name in template
    ]
    date_macro = _DATE_MACRO if "strftime_now" in template else ""
    return "".join(fixed) + date_macro + template


def _render(tokenizer: Any, messages: Sequence[Mapping[str, str]], *, add_generation_prompt: bool) -> str:
    text: str = tokenizer.apply_chat_template(
        messages,
        chat_template=_DATE_MACRO + tokenizer.get_chat_template(),
        add_generation_prompt=add_generation_prompt,
        tokenize=False,
        **_TEMPLATE_ARGUMENTS,
    )
    return text


@lru_cache(maxsize=8)
def _template(tokenizer: Any) -> _Template:
    """Find what the template writes around an answer. Raises `ValueError` when an answer cannot be located."""
    turns = [{"role": "system", "content": "Instruction"}, {"role": "user", "content": "Question"}]
    answer = chr(_PRIVATE_USE[0])
    prompt = _render(tokenizer, turns, add_generation_prompt=True)
    whole = _render(tokenizer, [*turns, {"role": "assistant", "content": answer}], add_generation_prompt=False)
    if not all(text in prompt for text in ("Instruction", "Question")):
        raise ValueError("it leaves out the system or the user turn")
    if not whole.startswith(prompt) or whole.count(answer) != 1:
        raise ValueError("an answer does not follow its prompt")
    lead, tail = whole[len(prompt) :].split(answer)

    added = tokenizer.added_tokens_decoder.values()
    control = _pattern([token.content for token in added if token.special or token.content in whole])
    end = control.search(tail)
    stop = tokenizer.convert_tokens_to_ids(end[0]) if end else tokenizer.eos_token_id
    if stop is None:
        raise ValueError("nothing ends an answer, and the tokenizer has no end-of-sequence token")
    return _Template(lead, tail[: end.start()] if end else "", stop, control)


def _pattern(tokens: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(tokens, key=len, reverse=True)
    return re.compile("(" + ("|".join(map(re.escape, longest_first)) or "(?!)") + ")")


def _masks(tokenizer: Any, texts: Sequence[str]) -> dict[str, str]:
    """For each control token spelled out in `texts`: a private-use character that occurs in none of them."""
    control = _template(tokenizer).control
    spelled = sorted({token for text in texts for token in control.findall(text)}, key=len, reverse=True)
    unused = (chr(code) for code in _PRIVATE_USE if not any(chr(code) in text for text in texts))
    return dict(zip(spelled, unused, strict=False))


def _replace(text: str, replacements: Mapping[str, str]) -> str:
    for old, new in replacements.items():
        text = text.replace(old, new)
    return text


def _ids(tokenizer: Any, text: str, masks: Mapping[str, str]) -> list[int]:
    """Tokenise a rendered template; each mask in it stands for a string that must not become a control token."""
    if not masks:
        return _plain_ids(tokenizer.backend_tokenizer, text)
    # Tokenizers split at control tokens before anything else, so what is between them can be tokenised one by one.
    unmask = {mask: token for token, mask in masks.items()}
    ids: list[int] = []
    for stretch in _template(tokenizer).control.split(text):
        unmasked = _replace(stretch, unmask)
        backend = tokenizer.backend_tokenizer if unmasked == stretch else text_tokenizer(tokenizer)
        ids += _plain_ids(backend, unmasked)
    return ids


def _plain_ids(backend: Tokenizer, text: str) -> list[int]:
    return list(backend.encode(text, add_special_tokens=False).ids)


@lru_cache(maxsize=8)
def text_tokenizer(tokenizer: Any) -> Tokenizer:
    """The same tokenizer without added tokens, which reads every string as plain text."""
    description = json.loads(tokenizer.backend_tokenizer.to_str())
    return Tokenizer.from_str(json.dumps(description | {"added_tokens": []}))
