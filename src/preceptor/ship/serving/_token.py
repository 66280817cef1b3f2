"""The bearer token: from a file or the environment, never from the command line, which other users can see."""

import os
from pathlib import Path

from preceptor.errors import InputError, Problem

VARIABLE = "PRECEPTOR_TOKEN"
_SHORTEST = 16
"""Characters. Short tokens can be brute-forced."""


def read_token(file: Path | None) -> str | None:
    """The token in `file`, else in the environment; None without either. Raises `InputError` when it is too weak."""
    if file is not None:
        where = str(file)
        try:
            token = file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "it holds characters other than ASCII"
            raise InputError(Problem(where, f"no token can be read from it ({what})", _HOW)) from None
    else:
        where, token = VARIABLE, os.environ.get(VARIABLE, "").strip()
        if not token:
            return None
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        what = f"the token needs at least {_SHORTEST} letters, digits or punctuation marks, without spaces"
        raise InputError(Problem(where, what, _HOW))
    return token


_HOW = "Make one: `(umask 077; openssl rand -hex 32 > token.txt)`"
