"""The arm `endpoint`: a server answers the held-out cases."""

from preceptor.chat_server import ChatServer, ask, open_client
from preceptor.study.answers.generate import Answerer, Keep
from preceptor.study.cases import Prepared


def asked_of(server: ChatServer, prepared: Prepared) -> Answerer:
    """One case after the other, as every other arm is shown it, at temperature 0."""

    def answer(done: frozenset[int], keep: Keep) -> None:
        room = prepared.task.answer.max_new_tokens
        with open_client(server) as client:
            for i, case in enumerate(prepared.shown):
                if i not in done:
                    messages = prepared.task.messages(case)
                    keep({i: ask(client, server, messages, max_tokens=room, setting="endpoint", case=case.id)})

    return answer
