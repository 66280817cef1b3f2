"""The socket of a server: on this machine only, unless a host is named; then only behind TLS."""

import ipaddress
import socket
from dataclasses import dataclass
from importlib.util import find_spec

from preceptor.errors import InputError, Problem
from preceptor.web.tls import Tls

LOCAL = "127.0.0.1"
PORT = 8765
_USUAL = {80: "http", 443: "https"}


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, the hosts (`name:port`) that requests to it may name, and its URL."""

    socket: socket.socket
    hosts: frozenset[str]
    url: str
    tls: Tls | None


def open_door(host: str = LOCAL, port: int = PORT, tls: Tls | None = None) -> Listener:
    """Bind `host`, a name or address of this machine; port 0 takes a free one.

    InputError when what serves is not installed, other machines could reach `host` and there is no TLS, `host` is not
    one address of this machine, or the port is taken.
    """
    _refuse_without_packages()
    address = _address(host)
    if address.is_unspecified:
        fix = "Name the one name or address under which others reach this machine"
        raise InputError(Problem("--host", f"{host} is every address of this machine", fix))
    if not address.is_loopback and tls is None:
        what = f"{host} can be reached from other machines, and what is sent could be read on the way"
        raise InputError(
            Problem("--host", what, "Give --certificate and --key; `preceptor label --self-signed` makes its own")
        )
    if tls is not None:
        tls.check()
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    # With its protocol named, asyncio sends small answers at once; else each page would wait 40 ms for the network.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((str(address), port))
    except OSError as error:
        bound.close()
        fix = "Choose another --port, or stop what uses this one; --host must be this machine"
        raise InputError(
            Problem("--host and --port", f"{host}:{port} cannot be used ({error.strerror})", fix)
        ) from error
    port, scheme = bound.getsockname()[1], "https" if tls else "http"
    names = {_in_url(host)} | ({LOCAL, "localhost"} if address.is_loopback else set())
    usual = names if _USUAL.get(port) == scheme else set()
    hosts = frozenset(name.lower() for name in usual | {f"{name}:{port}" for name in names})
    return Listener(bound, hosts, f"{scheme}://{_in_url(host)}:{port}", tls)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Where `host` leads; a name's IPv4 address where it has one."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        fix = "Give a name or an address of this machine"
        raise InputError(Problem("--host", f"`{host}` leads nowhere ({error})", fix)) from error
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    return min(addresses, key=lambda address: address.version)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _refuse_without_packages() -> None:
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        what = f"needs the package{'s' if len(missing) > 1 else ''} {' and '.join(missing)}"
        raise InputError(Problem("preceptor label", what, "Install them: pip install 'preceptor[label]'"))
