"""A server answers: any model behind an OpenAI-like chat API, asked over HTTP."""

from preceptor.chat_server import ChatServer, ask_in_full, open_client
from preceptor.files import digest
from preceptor.study.cases import Prepared
from preceptor.study.predictions.answer_context import AnswerContext, Answerer, Answering, OnBatch
from preceptor.tasks import Task
from preceptor.text_pieces import as_lines

title = "Served model"
phrase = "the served model"
explanation = "Another model, untouched, asked over a server."
deterministic = True
asks_policy = False
language_model = True
Settings = ChatServer


def unsupported_reason(task: Task) -> str | None:
    """It answers every task."""
    return None


def key(context: AnswerContext) -> str:
    """Its answers depend on which server is asked, and for which model."""
    return digest(["endpoint", context.settings.url, context.settings.model])


def answer(context: AnswerContext) -> Answering:
    """What the server replies to each held-out case."""
    return Answering(endpoint_answerer(context.settings, context.task))


def endpoint_answerer(server: ChatServer, prepared: Prepared) -> Answerer:
    """One case after the other, as every other arm is shown it, at temperature 0."""

    def answer(done: frozenset[int], on_batch: OnBatch) -> None:
        max_tokens = prepared.task.answer.max_new_tokens
        with open_client(server) as client:
            for i, case in enumerate(prepared.shown):
                if i not in done:
                    turns = prepared.task.messages(case)
                    messages = [{**turn, "content": as_lines(turn["content"])} for turn in turns]
                    reply = ask_in_full(
                        client, server, messages, max_tokens=max_tokens, setting="endpoint", case=case.id
                    )
                    on_batch({i: reply.text})

    return answer
