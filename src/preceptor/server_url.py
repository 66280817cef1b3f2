"""Addresses of servers that are sent something: on this machine, unless another one is allowed by name."""

from urllib.parse import urlsplit

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
"""The hosts that may be asked without being allowed by name."""


def check_url(url: str, allow_host: str | None, *, example: str, sent: str) -> None:
    """Raises ValueError for an address that cannot be read, holds a password, or is on a machine that is not allowed.

    example: what such an address looks like. sent: what would be sent to the other machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"url cannot be read; write it like {example}") from error
    readable = url.isprintable() and " " not in url  # urlsplit drops line ends, which no client does
    if not readable or parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise ValueError(f"url must look like {example}")
    if parts.username or parts.password:
        raise ValueError("url holds a user or a password, which would be kept in the run folder; take it out")
    if host not in THIS_MACHINE and host != (allow_host or "").lower():
        raise ValueError(
            f"url is on another machine, {host}, and {sent} would go there; only if that is allowed, say "
            f"allow_host: {host}"
        )
