"""Results in a notebook: the figure of all arms, and what was found."""

import base64
from xml.etree import ElementTree

from preceptor.report._limits import exploratory_note, synthetic_note
from preceptor.report._svg import SVG
from preceptor.report._template import fill
from preceptor.report._values_figure import values_figure
from preceptor.study.results.schema import Results


def results_html(results: Results) -> str:
    """A part of a page that needs nothing outside itself: the values of all arms, each task's conclusion, what failed,
    and what must be known first. No text of a case.
    """
    figure = ElementTree.fromstring(values_figure("values", results))  # noqa: S314 (our own)
    return fill(
        "notebook.html.j2",
        results,
        results=results,
        study=results.study,
        figure=_image_source(figure),
        said=figure.findtext(f"{{{SVG}}}desc"),
        notes=[note for note in (synthetic_note(results), exploratory_note(results)) if note],
    )


def _image_source(figure: ElementTree.Element) -> str:
    """The figure as an image of its own: a notebook holds many outputs, whose ids would meet in one page."""
    figure.set("font-family", "sans-serif")  # the page's does not reach into an image
    return "data:image/svg+xml;base64," + base64.b64encode(ElementTree.tostring(figure)).decode()
