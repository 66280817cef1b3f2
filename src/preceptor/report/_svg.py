"""A matplotlib figure as SVG that may stand inside a page.

Taken apart and put together again, because a page holds several figures (ids must differ), its content policy allows
no style attribute, and a screen reader needs a title.
"""

import re
from io import StringIO
from xml.etree import ElementTree

from matplotlib.figure import Figure

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""What no XML may hold; a name in a results.json from elsewhere can."""
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", XLINK)


def to_svg(figure: Figure, name: str, title: str, description: str) -> str:
    """Draw `figure` as an `<svg>` element whose ids begin with `name`; the same figure gives the same text."""
    written = StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", written.getvalue()))  # noqa: S314 (our own)
    for unwanted in [*root.findall(f"{{{SVG}}}metadata"), *root.findall(f"{{{SVG}}}defs")]:
        if unwanted.find(f"{{{SVG}}}style") is not None or unwanted.tag.endswith("metadata"):
            root.remove(unwanted)
    for element in root.iter():
        _own_ids(element, name)
        _style_to_attributes(element)
    _label(root, name, title, description)
    return ElementTree.tostring(root, encoding="unicode")


def _own_ids(element: ElementTree.Element, name: str) -> None:
    """Drop ids nothing points to; put `name` before the others and before every reference."""
    if element.tag == f"{{{SVG}}}g":
        element.attrib.pop("id", None)
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key == f"{{{XLINK}}}href":
            element.set(key, value.replace("#", f"#{name}-", 1))
        elif "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))


def _style_to_attributes(element: ElementTree.Element) -> None:
    """`style="fill: red"` -> `fill="red"`; of a font only its size and weight stay, the page chooses the family."""
    for declaration in element.attrib.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font":
            size = re.search(r"[\d.]+(?=px)", value)
            element.set("font-size", size.group() if size else "8")
            if weight := re.match(r"bold|\d{3}\b", value):
                element.set("font-weight", weight.group())
        elif key:
            element.set(key, value)


def _label(root: ElementTree.Element, name: str, title: str, description: str) -> None:
    """Give the figure the name and the words that a screen reader says, and let the page set its size."""
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-words")
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        said = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{'title' if tag == 'title' else 'words'}"})
        said.text = text
        root.insert(position, said)
