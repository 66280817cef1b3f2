"""The Modelfile that Ollama reads: the prompt's template in its own language, the decoding, the task's instruction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from preceptor.models import measured_template, stop_tokens
from preceptor.study import ArmOfRun
from preceptor.tasks import Task

_SYSTEM, _USER, _REPLY, _AGAIN = (chr(0xE000 + i) for i in range(4))


@dataclass(frozen=True, slots=True)
class Turns:
    """What a chat template writes around turns: system, user and assistant in turn, the assistant to speak next.

    opening: before a system turn; without_system: in its place where there is none; system_end and reply_end: behind
    those turns, before the next; user_start, user_end: around a user's turn, up to where the assistant speaks.
    """

    opening: str
    without_system: str
    system_end: str
    user_start: str
    user_end: str
    reply_end: str

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The prompt for these turns."""
        around = {
            "system": (self.opening, self.system_end),
            "user": (self.user_start, self.user_end),
            "assistant": ("", self.reply_end),
        }
        first = "" if any(one["role"] == "system" for one in messages) else self.without_system
        return first + "".join(one["content"].join(around[one["role"]]) for one in messages)

    def in_go(self) -> str:
        """The same as a template of Go's, over Ollama's `.System` and `.Messages`."""
        text = {name: one.replace("{{", '{{ "{{" }}') for name, one in asdict(self).items()}
        said = "{{ .Content }}"
        first = "{{ if not .System }}" + text["without_system"] + "{{ end }}" if self.without_system else ""
        return (
            f"{first}{{{{ range .Messages }}}}"
            f'{{{{ if eq .Role "system" }}}}{text["opening"]}{said}{text["system_end"]}'
            f'{{{{ else if eq .Role "user" }}}}{text["user_start"]}{said}{text["user_end"]}'
            f'{{{{ else if eq .Role "assistant" }}}}{said}{text["reply_end"]}{{{{ end }}}}'
            "{{ end }}"
        )


def read_turns(tokenizer: Any) -> Turns | None:
    """Read the turns off a tokenizer's chat template; None where it does more than put something around them."""
    system, user = {"role": "system", "content": _SYSTEM}, {"role": "user", "content": _USER}
    reply, again = {"role": "assistant", "content": _REPLY}, {"role": "user", "content": _AGAIN}
    whole = _render(tokenizer, [system, user, reply, again])
    alone = _render(tokenizer, [user])
    if whole is None or alone is None or any(whole.count(one) != 1 for one in (_SYSTEM, _USER, _REPLY, _AGAIN)):
        return None
    opening, rest = whole.split(_SYSTEM)
    before_user, rest = rest.split(_USER)
    user_end, rest = rest.split(_REPLY)
    before_again, last = rest.split(_AGAIN)
    before_alone, _, _ = alone.partition(_USER)
    user_start = _ending([before_user, before_again, before_alone])
    if last != user_end:
        return None
    turns = Turns(
        opening,
        before_alone.removesuffix(user_start),
        before_user.removesuffix(user_start),
        user_start,
        user_end,
        before_again.removesuffix(user_start),
    )
    talks = ([user], [system, user], [user, reply, again], [system, user, reply, again])
    return turns if all(turns.render(talk) == _render(tokenizer, talk) for talk in talks) else None


def _ending(texts: Sequence[str]) -> str:
    """What all of them end with."""
    shortest = min(texts, key=len)
    return next(shortest[i:] for i in range(len(shortest) + 1) if all(text.endswith(shortest[i:]) for text in texts))


def modelfile(arm: ArmOfRun, tokenizer: Any, gguf: str) -> str:
    """The Modelfile for the file named `gguf`, which lies beside it."""
    task, turns = arm.task, read_turns(tokenizer)
    lines = [f"# {arm.arm} of the study {_one_line(arm.study.name)}: {_one_line(task.title)}", *_how_to_ask(task)]
    lines.append(f"FROM ./{gguf}")
    template = None if turns is None else _quoted(turns.in_go())
    lines.append(f"TEMPLATE {template}" if template else _NO_TEMPLATE)
    if task.instruction and task.prompt:
        system = _quoted(_as_written(task.instruction, tokenizer, turns))
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


def _as_written(instruction: str, tokenizer: Any, turns: Turns | None) -> str:
    """The instruction as the chat template writes it: some take white space off its ends."""
    talk = [{"role": "system", "content": instruction}, {"role": "user", "content": _USER}]
    if turns is None or turns.render(talk) == _render(tokenizer, talk):
        return instruction
    return instruction.strip()


def _how_to_ask(task: Task) -> list[str]:
    """Comment lines with the user's turn that was measured."""
    if not task.prompt:
        return []
    return ["# It was measured with this as the user's turn, each {field} replaced:"] + [
        f"#   {line}" for line in task.prompt.splitlines()
    ]


def _render(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str | None:
    """What the template makes of the turns; None where it refuses their order."""
    import jinja2

    try:
        text: str = tokenizer.apply_chat_template(
            messages, chat_template=measured_template(tokenizer), add_generation_prompt=True, tokenize=False
        )
    except jinja2.TemplateError:
        return None
    return text


def _quoted(text: str) -> str | None:
    """As Modelfiles have text of several lines; None where its quotes would end too early."""
    return None if '"""' in text or text.endswith('"') else f'"""{text}"""'


def _one_line(text: str) -> str:
    return " ".join(text.split())
