"""The Modelfile for Ollama: the chat template in Go's template language, decoding parameters, system prompt."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from preceptor.models import measured_template, stop_tokens
from preceptor.study import ArmOfRun
from preceptor.tasks import Task

_SYSTEM, _USER, _REPLY, _NEXT_USER = (chr(0xE000 + i) for i in range(4))


@dataclass(frozen=True, slots=True)
class TurnMarkers:
    """The text that a chat template puts around the messages of each role, generation prompt included.

    opening: before a system message; without_system: instead of one; system_end, reply_end: after system and assistant
    messages; user_start, user_end: around a user message, up to the generation prompt.
    """

    opening: str
    without_system: str
    system_end: str
    user_start: str
    user_end: str
    reply_end: str

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt for these messages."""
        markers = {
            "system": (self.opening, self.system_end),
            "user": (self.user_start, self.user_end),
            "assistant": ("", self.reply_end),
        }
        prefix = "" if any(one["role"] == "system" for one in messages) else self.without_system
        return prefix + "".join(one["content"].join(markers[one["role"]]) for one in messages)

    def go_template(self) -> str:
        """The same as a Go template over Ollama's `.System` and `.Messages`."""
        text = {name: one.replace("{{", '{{ "{{" }}') for name, one in asdict(self).items()}
        content = "{{ .Content }}"
        prefix = "{{ if not .System }}" + text["without_system"] + "{{ end }}" if self.without_system else ""
        return (
            f"{prefix}{{{{ range .Messages }}}}"
            f'{{{{ if eq .Role "system" }}}}{text["opening"]}{content}{text["system_end"]}'
            f'{{{{ else if eq .Role "user" }}}}{text["user_start"]}{content}{text["user_end"]}'
            f'{{{{ else if eq .Role "assistant" }}}}{content}{text["reply_end"]}{{{{ end }}}}'
            "{{ end }}"
        )


def read_turn_markers(tokenizer: Any) -> TurnMarkers | None:
    """Derive the markers from a tokenizer's chat template; None if it does more than wrap messages."""
    system, user = {"role": "system", "content": _SYSTEM}, {"role": "user", "content": _USER}
    reply, next_user = {"role": "assistant", "content": _REPLY}, {"role": "user", "content": _NEXT_USER}
    rendered = _render(tokenizer, [system, user, reply, next_user])
    user_only = _render(tokenizer, [user])
    contents = (_SYSTEM, _USER, _REPLY, _NEXT_USER)
    if rendered is None or user_only is None or any(rendered.count(one) != 1 for one in contents):
        return None
    opening, rest = rendered.split(_SYSTEM)
    before_user, rest = rest.split(_USER)
    user_end, rest = rest.split(_REPLY)
    before_next_user, last = rest.split(_NEXT_USER)
    before_user_only, _, _ = user_only.partition(_USER)
    user_start = _common_suffix([before_user, before_next_user, before_user_only])
    if last != user_end:
        return None
    turns = TurnMarkers(
        opening,
        before_user_only.removesuffix(user_start),
        before_user.removesuffix(user_start),
        user_start,
        user_end,
        before_next_user.removesuffix(user_start),
    )
    conversations = ([user], [system, user], [user, reply, next_user], [system, user, reply, next_user])
    return turns if all(turns.render(messages) == _render(tokenizer, messages) for messages in conversations) else None


def _common_suffix(texts: Sequence[str]) -> str:
    """The longest common suffix."""
    shortest = min(texts, key=len)
    return next(shortest[i:] for i in range(len(shortest) + 1) if all(text.endswith(shortest[i:]) for text in texts))


def modelfile(arm: ArmOfRun, tokenizer: Any, gguf: str) -> str:
    """The Modelfile for the file `gguf` in the same folder."""
    task, turns = arm.task, read_turn_markers(tokenizer)
    lines = [f"# {arm.arm} of the study {_one_line(arm.study.name)}: {_one_line(task.title)}", *_prompt_comment(task)]
    lines.append(f"FROM ./{gguf}")
    template = None if turns is None else _quoted(turns.go_template())
    lines.append(f"TEMPLATE {template}" if template else _NO_TEMPLATE)
    if task.instruction and task.prompt:
        system = _quoted(_as_rendered(task.instruction, tokenizer, turns))
        lines.append(f"SYSTEM {system}" if system else "# Its instruction cannot be written here: send it yourself.")
    lines += [
        "PARAMETER temperature 0",
        "PARAMETER repeat_penalty 1",
        f"PARAMETER num_predict {task.answer.max_new_tokens}",
        f"PARAMETER num_ctx {arm.study.max_length}",
    ]
    stops = [tokenizer.convert_ids_to_tokens(token) for token in sorted(stop_tokens(tokenizer))]
    lines += [f"PARAMETER stop {quoted}" for stop in stops if (quoted := _quoted(stop))]
    return "\n".join(lines) + "\n"


_NO_TEMPLATE = "# Its chat template cannot be put into Ollama's language: write a TEMPLATE here before you use it."


def _as_rendered(instruction: str, tokenizer: Any, turns: TurnMarkers | None) -> str:
    """The instruction as the chat template renders it: some strip it."""
    messages = [{"role": "system", "content": instruction}, {"role": "user", "content": _USER}]
    if turns is None or turns.render(messages) == _render(tokenizer, messages):
        return instruction
    return instruction.strip()


def _prompt_comment(task: Task) -> list[str]:
    """Comment lines with the measured prompt template."""
    if not task.prompt:
        return []
    return ["# It was measured with this as the user's turn, each {field} replaced:"] + [
        f"#   {line}" for line in task.prompt.splitlines()
    ]


def _render(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str | None:
    """The rendered prompt; None if the template rejects the order of roles."""
    import jinja2

    try:
        text: str = tokenizer.apply_chat_template(
            messages, chat_template=measured_template(tokenizer), add_generation_prompt=True, tokenize=False
        )
    except jinja2.TemplateError:
        return None
    return text


def _quoted(text: str) -> str | None:
    """A triple-quoted Modelfile string; None if `text` would end the quotes early."""
    return None if '"""' in text or text.endswith('"') else f'"""{text}"""'


def _one_line(text: str) -> str:
    return " ".join(text.split())
