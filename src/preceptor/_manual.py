"""The documentation as pages that open without a network."""

import os
import re
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

from jinja2 import Environment, PackageLoader
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from preceptor._version import __version__

INDEX = Path("docs", "README.html")
"""The first page, inside the folder of the pages."""
_MANUAL = Path(__file__).parent / "manual"


def write_pages(folder: Path) -> None:
    """Write each page of the manual as HTML, and all other files as they are, under the same names."""
    template = Environment(loader=PackageLoader("preceptor", "manual_templates"), autoescape=True).get_template(
        "page.html.j2"
    )
    for place, _, names in os.walk(_MANUAL, followlinks=True):  # in a checkout the manual is links to its folders
        inside = Path(place).relative_to(_MANUAL)
        (folder / inside).mkdir(parents=True, exist_ok=True)
        for name in names:
            source, target = Path(place, name), folder / inside / name
            if source.suffix != ".md":
                shutil.copyfile(source, target)
                continue
            title, body = _html(source.read_text(encoding="utf-8"))
            index = os.path.relpath(INDEX, inside)
            page = template.render(title=title, body=body, index=index, version=__version__)
            target.with_suffix(".html").write_text(page, encoding="utf-8")


def _html(text: str) -> tuple[str, Markup]:
    """The title and the body of a page: headings get GitHub's anchors, links to pages lead to their HTML."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    anchors: Counter[str] = Counter()
    titles = []
    for token, following in pairwise(tokens):
        if token.type == "heading_open":
            titles.append(following.content)
            token.attrSet("id", _anchor(following.content, anchors))
    for token in tokens:
        _link_to_html(token.children or [])
    return titles[0], Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704 - HTML is escaped in it


def _anchor(heading: str, taken: Counter[str]) -> str:
    """As GitHub makes it: lower case, no punctuation, hyphens for spaces; a number where the same was there before."""
    plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    taken[plain] += 1
    return plain if taken[plain] == 1 else f"{plain}-{taken[plain] - 1}"


def _link_to_html(tokens: list[Token]) -> None:
    for token in tokens:
        target = str(token.attrGet("href") or "")
        if token.type == "link_open" and ":" not in target:
            token.attrSet("href", re.sub(r"\.md(?=#|$)", ".html", target))
