"""The secret that clients bring: out of a file or the environment, never off the command line, which others can see."""

import os
from pathlib import Path

from preceptor.errors import InputError, Problem

VARIABLE = "PRECEPTOR_TOKEN"
_SHORTEST = 16
"""Characters. What can be tried out must not be guessed."""


def read_token(file: Path | None) -> str | None:
    """The token in `file`, else in the environment; None without either. Raises `InputError` when it is no secret."""
    if file is not None:
        where = str(file)
        try:
            token = file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "it holds other signs than ASCII"
            raise InputError(Problem(where, f"no token can be read from it ({what})", _HOW)) from None
    else:
        where, token = VARIABLE, os.environ.get(VARIABLE, "").strip()
        if not token:
            return None
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        what = f"the token needs at least {_SHORTEST} letters, digits or signs in one word"
        raise InputError(Problem(where, what, _HOW))
    return token


_HOW = "Make one: `(umask 077; openssl rand -hex 32 > token.txt)`"
