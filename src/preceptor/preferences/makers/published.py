"""The maker `published`: rejected answers that the data bring, such as a nurse's level that experts put right."""

from preceptor.preferences._request import Request
from preceptor.preferences.makers._pair import Made, Pair


def published(request: Request) -> Made:
    """The right answer against the one that the data say was rejected; nothing is made up."""
    return Made([Pair(e.id, e.target, e.rejected, "published") for e in request.examples if e.rejected is not None])
