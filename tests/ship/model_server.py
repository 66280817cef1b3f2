"""A chat server over transformers' own code: no line of it is shared with the engine that it is compared with."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from preceptor.study import ArmOfRun


def merged(arm: ArmOfRun, *, strength: float = 1.0, times: int = 1) -> Any:
    """The arm's model as one set of weights: its adapter at some strength, put on so many times."""
    model: Any = AutoModelForCausalLM.from_pretrained(arm.source.location)
    for _ in range(times if arm.folder else 0):
        tuned = PeftModel.from_pretrained(model, str(arm.folder / "adapter"))
        for module in tuned.modules():
            if isinstance(getattr(module, "scaling", None), dict):
                module.scaling = {name: scale * strength for name, scale in module.scaling.items()}
        model = tuned.merge_and_unload()
    return model.eval()


@dataclass
class Settings:
    """What a server does with what it is asked. `template`: another than the model's own. `told`: what it tells beside
    the text. `stop`: by which tokens it stops; `words`: by which words.
    """

    model: Any
    folder: Path
    template: str | None = None
    told: Sequence[str] = ("usage", "logprobs")
    stop: Sequence[str] = ("<|im_end|>",)
    words: Sequence[str] = ()
    longest: int = 10_000
    names: Sequence[str] = ("tuned",)
    token: str | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)


class ModelServer(ThreadingHTTPServer):
    """Answers one request at a time, as many as may come."""

    daemon_threads = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.settings, self._alone = settings, threading.Lock()
        self._tokenizer = AutoTokenizer.from_pretrained(settings.folder)
        self.most_at_once = self._now = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            with self._alone:
                self.settings.asked.append(dict(request))
                return self._answer(request)
        finally:
            self._now -= 1

    @torch.inference_mode()
    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        settings, tokenizer = self.settings, self._tokenizer
        text = tokenizer.apply_chat_template(
            request["messages"], chat_template=settings.template, add_generation_prompt=True, tokenize=False
        )
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"][:, -settings.longest :]
        written = settings.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=request["max_tokens"],
            eos_token_id=[tokenizer.convert_tokens_to_ids(one) for one in settings.stop] or None,
            pad_token_id=tokenizer.pad_token_id,
            stop_strings=list(settings.words) or None,
            tokenizer=tokenizer,
            output_logits=True,
            return_dict_in_generate=True,
        )
        new = written.sequences[0, ids.shape[1] :].tolist()
        message = {"role": "assistant", "content": tokenizer.decode(new, skip_special_tokens=True)}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "stop"}
        if "logprobs" in settings.told and request.get("logprobs"):
            rows = zip(new, written.logits, strict=True)
            told = [(tokenizer.decode([one]), float(row[0].float().log_softmax(-1)[one])) for one, row in rows]
            choice["logprobs"] = {"content": [{"token": token, "logprob": logprob} for token, logprob in told]}
        usage = {"prompt_tokens": ids.shape[1], "completion_tokens": len(new)}
        return {"choices": [choice], **({"usage": usage} if "usage" in settings.told else {})}


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": name} for name in self.server.settings.names]})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        settings = self.server.settings
        if settings.token and self.headers.get("Authorization") != f"Bearer {settings.token}":
            return self._send(401, {})
        if "refuses logprobs" in settings.told and "logprobs" in request:
            return self._send(400, {"error": {"message": "no such parameter"}})
        return self._send(200, self.server.answer(request))

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(settings: Settings) -> Iterator[ModelServer]:
    server = ModelServer(settings)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
