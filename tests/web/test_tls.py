"""Certificates, and the addresses a page may be served on."""

import shutil
import ssl
import stat
from pathlib import Path

import pytest

from preceptor.errors import InputError
from preceptor.web.door import open_door
from preceptor.web.tls import Tls, self_signed


def test_a_self_signed_certificate_is_made_kept_and_private(tmp_path: Path) -> None:
    tls = self_signed("ward.example", tmp_path / "tls")
    tls.check()
    assert stat.S_IMODE(tls.key.stat().st_mode) == 0o600
    names = ssl._ssl._test_decode_cert(str(tls.certificate))["subjectAltName"]
    assert names == (("DNS", "ward.example"),)
    first = tls.certificate.read_bytes()
    assert self_signed("ward.example", tmp_path / "tls").certificate.read_bytes() == first
    other = self_signed("192.0.2.7", tmp_path / "tls")
    assert other.certificate.read_bytes() != first
    assert ssl._ssl._test_decode_cert(str(other.certificate))["subjectAltName"] == (("IP Address", "192.0.2.7"),)
    assert len(other.fingerprint().split(":")) == 32


def test_a_certificate_that_is_none_or_anothers_is_refused(tmp_path: Path) -> None:
    one, other = self_signed("a.example", tmp_path / "a"), self_signed("b.example", tmp_path / "b")
    with pytest.raises(InputError, match="cannot be used together"):
        Tls(one.certificate, other.key).check()
    with pytest.raises(InputError, match=r"(?s)none\.pem.*no such file.*key\.pem"):
        Tls(tmp_path / "none.pem", tmp_path / "no" / "key.pem").check()
    shutil.copy(one.key, tmp_path / "c.pem")
    with pytest.raises(InputError, match="cannot be used together"):
        Tls(tmp_path / "c.pem", one.key).check()


def test_only_this_machine_without_tls(tmp_path: Path) -> None:
    with open_door(port=0).socket as bound:
        assert bound.getsockname()[0] == "127.0.0.1"
    for host in ("192.0.2.7", "8.8.8.8"):
        with pytest.raises(InputError, match="--self-signed"):
            open_door(host)
    for host in ("0.0.0.0", "::"):
        with pytest.raises(InputError, match="every address"):
            open_door(host, tls=self_signed("a.example", tmp_path))
    with pytest.raises(InputError, match="leads nowhere"):
        open_door("no.such.host.invalid")
    with pytest.raises(InputError, match="cannot be used"):
        open_door("192.0.2.7", tls=self_signed("192.0.2.7", tmp_path))


def test_a_port_that_is_taken_is_said() -> None:
    door = open_door(port=0)
    with door.socket as bound:
        bound.listen()
        with pytest.raises(InputError, match="cannot be used"):
            open_door(port=bound.getsockname()[1])


def test_what_requests_may_name() -> None:
    door = open_door("localhost", port=0)
    with door.socket:
        port = door.socket.getsockname()[1]
        assert door.hosts == {f"127.0.0.1:{port}", f"localhost:{port}"}
        assert door.url == f"http://localhost:{port}"
