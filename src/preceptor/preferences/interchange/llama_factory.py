"""LLaMA-Factory's alpaca and sharegpt formats, also with preferences, with the documented default column names.

https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md. Columns renamed by a
`dataset_info.json` must be renamed back first.
"""

from preceptor.preferences.interchange._record import Messages, Record, message
from preceptor.preferences.interchange._row import Row

_ALPACA = {"instruction", "input", "output", "system", "history", "chosen", "rejected", "kto_tag"}
_SHAREGPT = {"conversations", "system", "chosen", "rejected", "kto_tag"}
_KEYS = ("from", "value")


def rows(record: Record) -> list[Row]:
    """The row of one object."""
    if record.has("conversations"):
        return [_sharegpt(record)]
    if record.has("instruction"):
        return [_alpaca(record)]
    what = "neither `instruction` (alpaca) nor `conversations` (sharegpt) is there"
    record.reject("instruction", what, "Rename the columns as LLaMA-Factory's documentation calls them")
    return []


def _alpaca(record: Record) -> Row:
    parts = [text for name in ("instruction", "input") if (text := record.text(name))]
    messages = (*_system(record), *_history(record), message("user", "\n".join(parts)))
    prompt = record.prompt(messages, "instruction")
    if record.has("chosen") or record.has("rejected"):
        better, worse = (record.messages(name, "assistant") for name in ("chosen", "rejected"))
        return _pair(record, prompt, better, worse, _ALPACA)
    answer = record.text("output")
    if answer is None:
        record.reject("output", "the answer is empty or no text", "Fill it, or leave the row out")
    return _labelled(record, prompt, answer, _ALPACA)


def _sharegpt(record: Record) -> Row:
    messages = record.messages_from(record.cells["conversations"], "conversations", _KEYS)
    if not messages or messages[0]["role"] != "system":  # a system message overrides the column
        messages = (*_system(record), *messages)
    elif record.has("system"):
        record.lost.add("column `system`")
    if not (record.has("chosen") or record.has("rejected")):
        prompt = record.prompt(messages[:-1], "conversations")
        return _labelled(record, prompt, record.answer(messages, "conversations", prompt), _SHAREGPT)
    prompt = record.prompt(messages, "conversations")
    better, worse = (record.messages_from([record.cells.get(name)], name, _KEYS) for name in ("chosen", "rejected"))
    return _pair(record, prompt, better, worse, _SHAREGPT)


def _pair(record: Record, prompt: Messages, better: Messages, worse: Messages, used: set[str]) -> Row:
    chosen, rejected = record.answer(better, "chosen", prompt), record.answer(worse, "rejected", prompt)
    if record.has("output"):
        record.lost.add("column `output`")
    return record.row(prompt, used, chosen=chosen, rejected=rejected)


def _labelled(record: Record, prompt: Messages, answer: str | None, used: set[str]) -> Row:
    """An answer; unpaired preference (`kto_tag`) false makes it a rejected one."""
    bad = record.cells.get("kto_tag") is False
    return record.row(prompt, used, rejected=answer) if bad else record.row(prompt, used, target=answer)


def _system(record: Record) -> Messages:
    text = record.text("system")
    return (message("system", text),) if text else ()


def _history(record: Record) -> Messages:
    """Earlier rounds: pairs of a user and an assistant message."""
    rounds = record.cells.get("history") or []
    messages: list[tuple[str, str]] = []
    for index, one in enumerate(rounds if isinstance(rounds, list) else [rounds], 1):
        if isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one):
            messages += zip(("user", "assistant"), one, strict=True)
        else:
            record.reject(f"history, round {index}", "a list of two texts was expected")
    return tuple(message(role, text) for role, text in messages)
