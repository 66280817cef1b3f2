"""A round of labelling for tests: its items, its store, and a browser without a window or a network."""

import re
from dataclasses import dataclass

from starlette.testclient import TestClient

from preceptor.preferences.labelling import Answer, Item, Store

HOST = "127.0.0.1:8765"
ORIGIN = f"http://{HOST}"


def make_pair(number: int, kind: str = "pair", scales: tuple[str, ...] = (), text: str = "He has asthma.") -> Item:
    answers = (Answer(f"Asthma, step {number}.", "sft seed 0"), Answer(f"Angina, step {number}.", "base"))
    case = (("visit_note", text),)
    return Item(f"toy/{number}", kind, f"c{number}", f"P{number}", case, "Which is better?", answers, scales=scales)


def make_gold(number: int, labels: tuple[str, ...] = ("urgent", "not urgent")) -> Item:
    case = (("visit_note", "He has asthma."),)
    return Item(f"toy/{number}", "gold", f"c{number}", f"P{number}", case, "How urgent?", labels=labels)


@dataclass
class Person:
    """Someone with a link and a browser."""

    client: TestClient
    name: str

    def page(self, path: str = "/") -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def fields(self, path: str = "/") -> dict[str, str]:
        """The hidden fields of the page's first form, and what undoes."""
        page = self.page(path)
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="(\w*)">', page)
        return dict(reversed(hidden))

    def vote(self, choice: str, path: str = "/", **more: str):
        return self.client.post("/vote", data={**self.fields(path), "choice": choice, **more})


@dataclass
class Round:
    """A store and the application on it."""

    store: Store
    app: object

    def visitor(self) -> TestClient:
        """A browser that has opened no link."""
        return TestClient(self.app, base_url=ORIGIN, headers={"origin": ORIGIN}, raise_server_exceptions=False)

    def person(self, name: str, role: str = "rater") -> Person:
        client = self.visitor()
        assert client.get(f"/r/{self.store.add_rater(name, role)}").status_code == 200
        return Person(client, name)
