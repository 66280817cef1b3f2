"""The request schema: OpenAI's chat completions, with decoding fixed to the study's."""

from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from preceptor.ship.serving._refused import RefusedError
from preceptor.tasks import Message

_FIXED: dict[str, tuple[Any, ...]] = {
    "temperature": (0,),
    "n": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
}
"""Parameters that would change the answer, and the values that do not. Null is the same as absent."""

_NO_EFFECT = (
    "top_p",  # greedy decoding: the top token is in every nucleus
    "seed",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "metadata",
    "store",
    "service_tier",
    "parallel_tool_calls",
)
"""Parameters without effect under greedy decoding."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_sent(cls, raw: Any) -> Any:
        return {key: value for key, value in raw.items() if value is not None} if isinstance(raw, dict) else raw


class _Part(_Strict):
    type: Literal["text"]
    text: str = Field(repr=False)


class _Turn(_Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part] = Field(repr=False)

    @property
    def message(self) -> Message:
        """The message in the form that chat templates read."""
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class _StreamOptions(_Strict):
    include_usage: bool = False
    include_obfuscation: bool = False
    """Padding against traffic analysis; not implemented."""


_StopStrings = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    Field(max_length=4),
    BeforeValidator(lambda raw: [raw] if isinstance(raw, str) else raw),
]


class ChatRequest(_Strict):
    """A valid request. Its `repr` shows no text."""

    model: str | None = None
    messages: list[_Turn] = Field(default=[], repr=False)
    """Chat messages, which go through the model's chat template unchanged."""
    fields: dict[str, str] | None = Field(default=None, repr=False)
    """Instead of `messages`: the task's fields, which fill its prompt template."""
    stream: bool = False
    stream_options: _StreamOptions = _StreamOptions()
    stop: _StopStrings = Field(default=[], repr=False)
    """The answer is shown up to the first of them; it is written to its end all the same."""
    logprobs: bool = False
    top_logprobs: int = Field(default=0, ge=0, le=20)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _decoding_is_fixed(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        fixed = [name for name, same in _FIXED.items() if raw.get(name) is not None and raw[name] not in same]
        if fixed:
            listed = ", ".join(f"`{name}`" for name in fixed)
            what = f"{listed}: answers are given as the study measured them, so this cannot be changed; leave it out"
            raise PydanticCustomError("unsupported_value", "{what}", {"what": what, "param": fixed[0]})
        return {key: value for key, value in raw.items() if key not in _FIXED and key not in _NO_EFFECT}

    @model_validator(mode="after")
    def _turns_or_fields(self) -> Self:
        if bool(self.messages) == (self.fields is not None):
            what = "send either `messages`, a list of chat turns, or `fields`, an object with the task's fields"
            raise PydanticCustomError("missing", "{what}", {"what": what, "param": "messages"})
        return self

    @model_validator(mode="after")
    def _top_logprobs_are_logprobs(self) -> Self:
        if self.top_logprobs and not self.logprobs:
            what = "`top_logprobs` are told with `logprobs`: send `logprobs: true` too"
            raise PydanticCustomError("missing", "{what}", {"what": what, "param": "top_logprobs"})
        return self

    @property
    def logprobs_per_token(self) -> int | None:
        """How many of the likeliest tokens are wanted beside each token's own log-probability; None for neither."""
        return self.top_logprobs if self.logprobs else None

    def answer_limit(self, task_limit: int) -> int:
        """The request's `max_new_tokens`; `task_limit` is the task's."""
        return min(task_limit, self.max_tokens or task_limit, self.max_completion_tokens or task_limit)


def read_request(body: bytes) -> ChatRequest:
    """Parse `body`. Raises `RefusedError` with every problem found."""
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    first = errors[0]
    param = first.get("ctx", {}).get("param") or (str(first["loc"][0]) if first["loc"] else None)
    codes = {"extra_forbidden": "unknown_parameter", "json_invalid": "invalid_json"}
    code = codes.get(first["type"], "unsupported_value" if first["type"] == "unsupported_value" else "invalid_value")
    messages = list(dict.fromkeys(_message(one["type"], one["loc"], one["msg"]) for one in errors))
    raise RefusedError(HTTPStatus.BAD_REQUEST, "; ".join(messages[:_MAX_PROBLEMS]), param=param, code=code)


_MAX_PROBLEMS = 10
"""Problems reported for one request."""


def _message(kind: str, loc: tuple[int | str, ...], message: str) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
    match kind:
        case "json_invalid":
            return f"the body is no JSON that can be read ({message.removeprefix('Invalid JSON: ')})"
        case "model_type":
            return f"`{where or 'the body'}` must be an object"
        case "extra_forbidden":
            return f"`{where}` is not a parameter that is known here"
        case _:
            return f"`{where}`: {message}" if where else message
