"""LLaMA-Factory's alpaca and sharegpt files, also those for ranking, with the column names its documentation uses.

https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md. Columns that a `dataset_info.json` renames have to be
given those names first.
"""

from preceptor.preferences.interchange._case import Case, Turns, turn
from preceptor.preferences.interchange._row import Row

_ALPACA = {"instruction", "input", "output", "system", "history", "chosen", "rejected", "kto_tag"}
_SHAREGPT = {"conversations", "system", "chosen", "rejected", "kto_tag"}
_KEYS = ("from", "value")


def rows(case: Case) -> list[Row]:
    """The row of one object."""
    if case.has("conversations"):
        return [_sharegpt(case)]
    if case.has("instruction"):
        return [_alpaca(case)]
    what = "neither `instruction` (alpaca) nor `conversations` (sharegpt) is there"
    case.refuse("instruction", what, "Rename the columns as LLaMA-Factory's documentation calls them")
    return []


def _alpaca(case: Case) -> Row:
    asked = [text for name in ("instruction", "input") if (text := case.text(name))]
    turns = (*_system(case), *_history(case), turn("user", "\n".join(asked)))
    prompt = case.prompt(turns, "instruction")
    if case.has("chosen") or case.has("rejected"):
        return _pair(case, prompt, case.turns("chosen", "assistant"), case.turns("rejected", "assistant"), _ALPACA)
    answer = case.text("output")
    if answer is None:
        case.refuse("output", "the answer is empty or no text", "Fill it, or leave the row out")
    return _judged(case, prompt, answer, _ALPACA)


def _sharegpt(case: Case) -> Row:
    turns = case.turns_of(case.cells["conversations"], "conversations", _KEYS)
    if not turns or turns[0]["role"] != "system":  # a system turn overrides the column
        turns = (*_system(case), *turns)
    elif case.has("system"):
        case.lost.add("column `system`")
    if not (case.has("chosen") or case.has("rejected")):
        prompt = case.prompt(turns[:-1], "conversations")
        return _judged(case, prompt, case.answer(turns, "conversations", prompt), _SHAREGPT)
    prompt = case.prompt(turns, "conversations")
    better, worse = (case.turns_of([case.cells.get(name)], name, _KEYS) for name in ("chosen", "rejected"))
    return _pair(case, prompt, better, worse, _SHAREGPT)


def _pair(case: Case, prompt: Turns, better: Turns, worse: Turns, own: set[str]) -> Row:
    chosen, rejected = case.answer(better, "chosen", prompt), case.answer(worse, "rejected", prompt)
    if case.has("output"):
        case.lost.add("column `output`")
    return case.row(prompt, own, chosen=chosen, rejected=rejected)


def _judged(case: Case, prompt: Turns, answer: str | None, own: set[str]) -> Row:
    """An answer; where each is marked good or bad by itself (`kto_tag`), a bad one is a rejected one."""
    bad = case.cells.get("kto_tag") is False
    return case.row(prompt, own, rejected=answer) if bad else case.row(prompt, own, target=answer)


def _system(case: Case) -> Turns:
    text = case.text("system")
    return (turn("system", text),) if text else ()


def _history(case: Case) -> Turns:
    """Earlier rounds: pairs of what was asked and what was answered."""
    rounds = case.cells.get("history") or []
    turns: list[tuple[str, str]] = []
    for place, one in enumerate(rounds if isinstance(rounds, list) else [rounds], 1):
        if isinstance(one, list) and len(one) == 2 and all(isinstance(text, str) for text in one):
            turns += zip(("user", "assistant"), one, strict=True)
        else:
            case.refuse(f"history, round {place}", "a list of two texts was expected")
    return tuple(turn(role, text) for role, text in turns)
