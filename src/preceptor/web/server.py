"""The web server that pages and models are served by: what it lets in, how long it waits, and for how many."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from preceptor.web.tls import Tls

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may keep from others. `head_seconds`: until a request's headers are there; `body_seconds`: from
    then until its body is; `connections`: so many at a time, of which each further one is answered 503.

    How long an answer takes, and is taken, has no limit here.
    """

    head_seconds: float = 30.0
    body_seconds: float = 60.0
    connections: int = 512


def http_server(app: "ASGIApp", tls: Tls | None, limits: Limits, *, lifespan: bool) -> "uvicorn.Server":
    """A server of `app`, to `run(sockets=[...])`. `app` itself holds to `body_seconds`."""
    import uvicorn

    from preceptor.web.connection import Server, connection_class

    config = uvicorn.Config(
        app,
        http=connection_class(limits.head_seconds),
        limit_concurrency=limits.connections,
        access_log=False,  # a rater's link stands in a path
        log_config=None,
        lifespan="on" if lifespan else "off",
        ws="none",
        proxy_headers=False,
        timeout_keep_alive=75,
        server_header=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )
    return Server(config)
