"""An arm of a study as a service: OpenAI's chat completions, answered as the study's held-out cases were."""

from preceptor.ship.serving._app import Served
from preceptor.ship.serving._serve import QUEUE_CAPACITY, answerer, curl_line, load, serve
from preceptor.ship.serving._token import read_token

__all__ = ["QUEUE_CAPACITY", "Served", "answerer", "curl_line", "load", "read_token", "serve"]
