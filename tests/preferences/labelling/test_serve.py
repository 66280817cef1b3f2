"""The server as a process: killed, stopped, behind TLS, and silent about cases."""

import ssl
from pathlib import Path

import httpx2
import pytest

from labelling_rounds import make_pair
from labelling_server import Server
from preceptor.errors import InputError
from preceptor.preferences.labelling import Store, serve
from preceptor.web.door import open_door
from preceptor.web.tls import self_signed

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "s.sqlite", [make_pair(n) for n in range(3)], title="Round")


def vote(client: httpx2.Client, url: str, id: str, **more: str) -> httpx2.Response:
    fields = {"id": id, "position": "1", "repeat": "0", "choice": "left", **more}
    return client.post(f"{url}/vote", data=fields, headers={"origin": url})


def test_an_acknowledged_vote_outlives_kill_9_and_nothing_of_a_case_or_a_link_is_in_the_log(store, tmp_path) -> None:
    token = store.add_rater("anna")
    with Server(store.path, tmp_path / "log") as server, httpx2.Client() as client:
        client.get(f"{server.url}/r/{token}")
        assert vote(client, server.url, "0" * 32, note="confidential").status_code == 303
        vote(client, server.url, "zz", note="confidential")
        client.get(f"{server.url}/r/wrong")
        server.kill()
        assert [one.note for one in Store.open(store.path).votes()] == ["confidential"]
        server.start()
        assert vote(client, server.url, "0" * 32, note="confidential").status_code == 303
        with pytest.raises(InputError, match="another process"):
            serve(store, open_door(port=0))  # one process at a time serves a store
        assert server.stop() != 0
    assert len(Store.open(store.path).votes(effective=False)) == 1
    log = (tmp_path / "log").read_text()
    assert not any(word in log for word in ("confidential", "asthma", "Asthma", token, "wrong"))


def test_behind_tls_it_speaks_tls_only_and_the_certificate_is_the_one_shown(store, tmp_path) -> None:
    tls = self_signed("localhost", tmp_path / "tls")
    token = store.add_rater("anna")
    with Server(store.path, tmp_path / "log", host="localhost", tls=(tls.certificate, tls.key)) as server:
        context = ssl.create_default_context(cafile=str(tls.certificate))
        with httpx2.Client(verify=context) as client:
            answer = client.get(f"{server.url}/r/{token}")
            assert "Secure" in answer.headers["set-cookie"]
            assert vote(client, server.url, "0" * 32).status_code == 303
        with pytest.raises(httpx2.TransportError):
            httpx2.get(server.url.replace("https", "http"))
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(tls.certificate)
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx2.TransportError):
            httpx2.get(server.url, verify=old)
