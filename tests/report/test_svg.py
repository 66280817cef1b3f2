"""A figure stands in a page whatever its words hold."""

from matplotlib.figure import Figure

from preceptor.report._svg import to_svg


def test_what_no_xml_may_hold_is_shown_as_a_sign() -> None:
    figure = Figure()
    figure.subplots().set_title("bell \x07 & <b>")
    drawn = to_svg(figure, "f", "title", "description")
    assert "\x07" not in drawn
    assert "<b>" not in drawn
