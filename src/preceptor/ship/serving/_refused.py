"""How a request is refused: in the shape of error that OpenAI's clients read."""

from http import HTTPStatus
from typing import Any


class RefusedError(Exception):
    """A request that is not answered, and why, for whoever sent it. Never logged: it may name what they sent."""

    def __init__(
        self, status: HTTPStatus, message: str, *, param: str | None = None, code: str | None = None, retry: int = 0
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.retry = retry
        """Seconds after which asking again may help; 0: it will not."""

    @property
    def body(self) -> dict[str, Any]:
        """The error as OpenAI's API writes it."""
        kind = "server_error" if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
        kind = "rate_limit_error" if self.status == HTTPStatus.TOO_MANY_REQUESTS else kind
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    @property
    def headers(self) -> dict[str, str]:
        """What the status asks to be said beside the body."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            return {"www-authenticate": "Bearer"}
        if self.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT):
            return {"connection": "close"}  # or the server would go on taking what is left of the body
        return {"retry-after": str(self.retry)} if self.retry else {}


def fault() -> RefusedError:
    """Something went wrong on our side; the log says where."""
    message = "the server failed to answer; its log says where. Asking again may help"
    return RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, message, code="server_error")
