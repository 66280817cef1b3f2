"""Which of a record's fields is the prompt, in tools where people name their fields themselves."""

from typing import Any

from preceptor.preferences.interchange._case import Case, Turns


def only_prompt(case: Case, fields: dict[str, Any], where: str, hint: str = "") -> tuple[str, Turns]:
    """Name and turns of the prompt: the field `prompt`, the one that `hint` names, or the only one with text."""
    texts = [name for name, value in fields.items() if isinstance(value, str | list) and value]
    known = [name for name in ("prompt", hint) if name in texts] or texts
    if len(known) != 1 and known[:1] not in (["prompt"], [hint]):
        what = f"{'several' if known else 'no'} fields could be the prompt"
        case.refuse(where, what, "Call the one that asks the question `prompt`")
        return "", ()
    name = known[0]
    return name, Case(case.number, fields, wrong=case.wrong, lost=case.lost).turns(name)
