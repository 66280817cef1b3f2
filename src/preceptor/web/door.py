"""The listening socket of a server: loopback unless a host is named; other hosts only with TLS."""

import ipaddress
import socket
from dataclasses import dataclass
from importlib.util import find_spec

from preceptor.errors import InputError, Problem
from preceptor.extras import install_command
from preceptor.web.tls import Tls

LOCAL = "127.0.0.1"
PORT = 8765
_DEFAULT_PORTS = {80: "http", 443: "https"}


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket, the `Host` headers (`name:port`) that it accepts, and its URL."""

    socket: socket.socket
    hosts: frozenset[str]
    url: str
    tls: Tls | None


def open_door(host: str = LOCAL, port: int = PORT, tls: Tls | None = None) -> Listener:
    """Bind `host`, a name or address of this machine; port 0 takes a free one.

    Raises `InputError` when `host` is not loopback and `tls` is None, `host` is not one address of this machine, or the
    port is in use.
    """
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
    # With IPPROTO_TCP named, asyncio sets TCP_NODELAY; without it each small response would be delayed by 40 ms.
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
    without_port = names if _DEFAULT_PORTS.get(port) == scheme else set()
    hosts = frozenset(name.lower() for name in without_port | {f"{name}:{port}" for name in names})
    return Listener(bound, hosts, f"{scheme}://{_in_url(host)}:{port}", tls)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address of `host`, IPv4 where it has one."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        fix = "Give a name or an address of this machine"
        raise InputError(Problem("--host", f"`{host}` leads nowhere ({error})", fix)) from error
    addresses = [ipaddress.ip_address(str(one[4][0]).partition("%")[0]) for one in found]
    return min(addresses, key=lambda address: address.version)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def require_packages(command: str) -> None:
    """Raises `InputError` when the packages that `preceptor <command>` serves with are not installed."""
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        fix = f"Install what it needs: {install_command(command)}"
        raise InputError(Problem(f"preceptor {command}", f"{' and '.join(missing)} cannot be imported", fix))
