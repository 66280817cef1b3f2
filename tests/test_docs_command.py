"""`preceptor docs`: pages that open offline, in which every link leads somewhere."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from command_line import CommandLine
from html_page import Page
from preceptor._manual import write_pages

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    folder = tmp_path_factory.mktemp("site")
    write_pages(folder)
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}


def test_each_page_of_the_documentation_is_one_of_the_site(site: dict[Path, Page]) -> None:
    written = {path.stem for path in site}
    assert {path.stem for place in (".", "docs", "examples") for path in (ROOT / place).glob("*.md")} == written
    assert all(page.all("h1") for page in site.values())


def test_every_link_leads_to_a_file_and_a_heading_that_are_there(site: dict[Path, Page]) -> None:
    lost, followed = [], 0
    for path, page in site.items():
        targets = [link["href"] or "" for link in page.all("a")] + [image["src"] or "" for image in page.all("img")]
        for target in targets:
            if target.startswith(("https:", "http:")):
                continue
            name, _, anchor = unquote(target).partition("#")
            leads_to = (path.parent / name).resolve() if name else path
            if not leads_to.is_file() or (anchor and anchor not in site[leads_to].values("id")):
                lost.append(f"{path.name}: {target}")
            followed += 1
    assert lost == []
    assert followed > 100


def test_all_pages_are_reached_from_the_first(site: dict[Path, Page]) -> None:
    index = next(path for path in site if path.parent.name == "docs" and path.name == "README.html")
    linked = {(index.parent / str(link["href"]).partition("#")[0]).resolve() for link in site[index].all("a")}
    assert [path.name for path in site if path.resolve() not in linked] == []


def test_nothing_is_asked_of_another_machine(site: dict[Path, Page]) -> None:
    for page in site.values():
        assert page.all("script") == page.all("link") == []
        assert not any(str(image["src"]).startswith("http") for image in page.all("img"))
        assert "url(" not in page.style


def test_the_command_writes_them_where_it_is_told(preceptor: CommandLine, tmp_path: Path) -> None:
    told = preceptor.run("docs", "--output-dir", tmp_path / "pages")
    assert told.code == 0
    assert told.shown == f"Documentation: {tmp_path / 'pages' / 'docs' / 'README.html'}"
    assert (tmp_path / "pages" / "docs" / "README.html").is_file()


def test_where_nothing_can_be_written(preceptor: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    told = preceptor.run("docs", "--output-dir", tmp_path / "taken")
    assert (told.code, "the pages cannot be written here" in told.errors) == (2, True)


def test_where_the_cache_cannot_be_written_as_in_a_container(
    preceptor: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "taken"))
    told = preceptor.run("docs")
    assert (told.code, "`preceptor docs --output-dir pages`" in told.errors) == (2, True)
