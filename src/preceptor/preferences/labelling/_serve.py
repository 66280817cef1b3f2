"""The server of a round: one process at a time has its store."""

import filelock

from preceptor.errors import InputError, Problem
from preceptor.preferences.labelling._store import Store
from preceptor.web.door import Listener
from preceptor.web.server import Limits, http_server


def serve(store: Store, listener: Listener) -> None:
    """Serve the round until the process is told to stop (Ctrl-C). InputError when another process serves this store."""
    from preceptor.preferences.labelling._app import create_app

    try:
        held = filelock.FileLock(store.path.with_name(f"{store.path.name}.lock"), mode=0o600).acquire(timeout=0)
    except filelock.Timeout as error:
        fix = "Use that page, or stop it first; the lead can make further links on it"
        raise InputError(Problem(str(store.path), "another process has this round open already", fix)) from error
    with held, listener.socket:
        limits = Limits()
        app = create_app(store, hosts=listener.hosts, secure=listener.tls is not None, body_seconds=limits.body_seconds)
        http_server(app, listener.tls, limits, lifespan=False).run(sockets=[listener.socket])
