"""The uvicorn server of both applications: timeouts and the number of connections."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from preceptor.web.tls import Tls

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits against slow clients. `head_seconds`: until a request's headers are complete; `body_seconds`: from then
    until its body is; `connections`: at a time, each further request gets status 503.

    Producing and sending a response has no limit here.
    """

    head_seconds: float = 30.0
    body_seconds: float = 60.0
    connections: int = 512


def http_server(app: "ASGIApp", tls: Tls | None, limits: Limits, *, lifespan: bool) -> "uvicorn.Server":
    """A server of `app`, to `run(sockets=[...])`. `app` itself enforces `body_seconds`."""
    import uvicorn

    from preceptor.web.connection import Server, connection_class

    config = uvicorn.Config(
        app,
        http=connection_class(limits.head_seconds),
        limit_concurrency=limits.connections,
        access_log=False,  # paths contain raters' access tokens
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
