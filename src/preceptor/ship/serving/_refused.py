"""Errors of the API, in the format of OpenAI's."""

from http import HTTPStatus
from typing import Any


class RefusedError(Exception):
    """A rejected request and the reason, for its client. Never logged: it may quote the request."""

    def __init__(
        self, status: HTTPStatus, message: str, *, param: str | None = None, code: str | None = None, retry: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.retry = retry
        """`Retry-After` in seconds; 0: retrying does not help."""

    @property
    def body(self) -> dict[str, Any]:
        """The error as OpenAI's API writes it."""
        kind = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        kind = "rate_limit_error" if self.status == HTTPStatus.TOO_MANY_REQUESTS else kind
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """Response headers that the status requires."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            return {"www-authenticate": "Bearer"}
        if self.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
            return {"connection": "close"}  # or the server would read the rest of the body
        return {"retry-after": str(self.retry)} if self.retry else {}


def fault() -> RefusedError:
    """An internal error; the log says where it was raised."""
    message = "the server failed to answer; its log says where. Asking again may help"
    return RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, message, code="server_error")
