import io

from rich.console import Console

from preceptor.progress import late_progress, progress


def shown(what: str, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    with progress(what, 120, console) as advance:
        advance(60)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_bar_fits_on_one_line_of_a_narrow_terminal() -> None:
    last = [line for line in shown("triage_provider: held-out answers of sft+dpo", 80) if "60/120" in line][-1]
    assert "triage_provider: held-out" in last
    assert "left" in last
    assert len(last.strip("\x1b[2K\r")) <= 80


def test_names_are_shown_as_they_are() -> None:
    assert any("[/b] task" in line for line in shown("[/b] task", 80))


def test_parts_of_a_unit_add_up_to_all() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    assert sum([0.1] * 10) < 1
    with progress("Stages and answers", 1, console) as advance:
        for _ in range(10):
            advance(0.1)
    assert isinstance(console.file, io.StringIO)
    assert "1/1" in console.file.getvalue()


def test_what_is_quick_shows_no_bar_and_what_is_not_shows_what_was_done_before() -> None:
    for after, there in ((60.0, False), (0.0, True)):
        console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
        with late_progress("Comparing", 100, console, after=after) as advance:
            advance(30)
            advance(20)
        assert isinstance(console.file, io.StringIO)
        assert ("50/100" in console.file.getvalue()) == there
