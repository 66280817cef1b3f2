"""An HTTP server for an arm's model: OpenAI's chat completions API, decoded as in the study's evaluation."""

from preceptor.ship.serving._api import Served
from preceptor.ship.serving._serve import QUEUE_CAPACITY, answerer, curl_line, load, serve
from preceptor.ship.serving._token import read_token

__all__ = ["QUEUE_CAPACITY", "Served", "answerer", "curl_line", "load", "read_token", "serve"]
