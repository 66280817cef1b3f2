"""Detection of the prompt field, for tools with user-defined field names."""

from typing import Any

from preceptor.preferences.interchange._record import Messages, Record


def prompt_of(record: Record, fields: dict[str, Any], where: str, hint: str = "") -> tuple[str, Messages]:
    """Name and messages of the prompt: the field `prompt`, the field `hint`, or the only one with text."""
    texts = [name for name, value in fields.items() if isinstance(value, str | list) and value]
    known = [name for name in ("prompt", hint) if name in texts] or texts
    if len(known) != 1 and known[:1] not in (["prompt"], [hint]):
        what = f"{'several' if known else 'no'} fields could be the prompt"
        record.reject(where, what, "Call the one that asks the question `prompt`")
        return "", ()
    name = known[0]
    return name, Record(record.number, fields, problems=record.problems, lost=record.lost).messages(name)
