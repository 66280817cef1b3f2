"""The server of one arm: load the model, answer in process for the parity check, serve over HTTP."""

import asyncio
import json
import shlex
from collections.abc import Callable, Sequence

from preceptor.chat_server import Reply
from preceptor.models import load_policy, load_tokenizer
from preceptor.ship._in_process import labels_as_measured
from preceptor.ship.serving._api import Served, create_app
from preceptor.ship.serving._chat_request import ChatRequest
from preceptor.ship.serving._counts import Counts
from preceptor.ship.serving._guard import CHAT
from preceptor.ship.serving._prompt_reader import Reader
from preceptor.ship.serving._queue import BatchQueue, Label, Token, stream_tokens
from preceptor.study import ArmOfRun
from preceptor.tasks import Example
from preceptor.web.door import Listener
from preceptor.web.server import Limits, http_server

QUEUE_CAPACITY = 64
"""The default capacity of the request queue: two batches."""


def load(arm: ArmOfRun, *, capacity: int = QUEUE_CAPACITY) -> Served:
    """Load the arm's model as the study evaluated it: same chat template, dtype, threads and length limits."""
    policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
    entry = arm.study.tasks[arm.finished.tasks.index(arm.task.name)]
    # A second tokenizer: prompts are encoded in another thread than answers are decoded.
    reader = Reader(arm.task, load_tokenizer(arm.source), arm.max_length, entry.data.empty, arm.by_head)
    queue = BatchQueue(
        policy,
        max_new_tokens=arm.task.answer.max_new_tokens,
        threads=arm.numerics.threads,
        capacity=capacity,
        counts=Counts(),
        score_labels=labels_as_measured(arm, policy),
        writes=not arm.by_head,
    )
    return Served(f"{arm.study.name}/{arm.task.name}/{arm.arm}/seed-{arm.seed}", reader, queue, policy.tokenizer)


def answerer(served: Served) -> Callable[[Sequence[Example], Sequence[list[int]]], list[Reply]]:
    """For `short_check`: answers cases through the request path, from chat messages on; token ids are ignored."""

    def answer(examples: Sequence[Example], _: Sequence[list[int]]) -> list[Reply]:
        turns = [served.reader.task.messages(example) for example in examples]
        requests = [ChatRequest.model_validate_json(json.dumps({"messages": one})) for one in turns]
        return asyncio.run(_ask(served, requests))

    return answer


async def _ask(served: Served, requests: Sequence[ChatRequest]) -> list[Reply]:
    queue = served.queue.uncounted(capacity=len(requests))

    async def ask(request: ChatRequest) -> Reply:
        job = queue.reserve(queue.max_new_tokens)
        prompt = served.reader.read(request)
        queue.enqueue(job, prompt.ids, of_task=prompt.of_task)
        events = [event async for event in stream_tokens(job)]
        text = served.tokenizer.decode([one.id for one in events if isinstance(one, Token)], skip_special_tokens=True)
        given = next((one.text for one in events if isinstance(one, Label)), text)
        return Reply(given, scores=job.scores)

    async with queue.open():
        return await asyncio.gather(*map(ask, requests))


def curl_line(served: Served, listener: Listener, token: str | None) -> str:
    """An example curl command; `token` is a shell expression for the bearer token, None without authentication."""
    fields = served.reader.task.shown_fields
    content = {"fields": dict.fromkeys(fields, "...")} if fields else {"messages": [{"role": "user", "content": "..."}]}
    secret = [f'-H "Authorization: Bearer {token}"'] if token else []
    body = shlex.quote(json.dumps({"model": served.name, **content}))
    return " ".join(["curl", listener.url + CHAT, *secret, "-H 'Content-Type: application/json'", "-d", body])


def serve(served: Served, listener: Listener, *, token: str | None, ready: Callable[[], None]) -> None:
    """Serve until the process is interrupted (Ctrl-C); `ready` is called once connections are accepted."""
    limits = Limits()
    with listener.socket:
        app = create_app(served, hosts=listener.hosts, token=token, body_seconds=limits.body_seconds)
        server = http_server(app, listener.tls, limits, lifespan=True)
        listener.socket.listen(server.config.backlog)  # from now on connections wait instead of being refused
        ready()
        server.run(sockets=[listener.socket])
