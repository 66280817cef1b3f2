import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from preceptor.errors import InputError
from preceptor.evidence import number
from preceptor.report import write_report


class Page(HTMLParser):
    """The page's elements and its text, as a browser would see them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.style = ""
        self._open = ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "style":
            self.style += data
        else:
            self.text += f" {data}"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str | None]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


def page_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text())


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """Change `results.json` in place."""
    results = json.loads((folder / "results.json").read_text())
    edit(results)
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_every_result_stands_on_the_page(run_folder: Path) -> None:
    page = page_of(run_folder)
    results = json.loads((run_folder / "results.json").read_text())
    for task in results["study"]["tasks"]:
        assert task["title"] in page.text
    for cell in results["cells"]:
        low, high = cell["ci"]
        assert f"{number(cell['value'])} [{number(low)}, {number(high)}]" in page.text
        assert f"{100 * cell['invalid_rate']:.1f}%" in page.text
    for contrast in results["contrasts"]:
        assert contrast["sentence"] in page.text
        assert contrast["verdict"] in page.text
    assert "dequantised from Q4_1" in page.text
    assert "The cases are synthetic and no clinician has reviewed them." in page.text


def test_the_confusion_matrix_is_the_one_of_the_results(run_folder: Path) -> None:
    def count_up(results: dict[str, Any]) -> None:
        results["cells"][0]["confusion"]["matrix"] = [[901, 902, 903], [904, 905, 906]]

    assert "met 901 902 903 not met 904 905 906" in page_of(change(run_folder, count_up)).text


def test_the_page_is_written_into_the_run_folder_and_is_the_same_each_time(run_folder: Path) -> None:
    path = write_report(run_folder)
    first = path.read_bytes()
    assert path == run_folder / "report.html"
    assert write_report(run_folder).read_bytes() == first


def test_nothing_is_loaded_and_nothing_runs(run_folder: Path) -> None:
    page = page_of(run_folder)
    assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in page.elements}
    links = page.values("href") + page.values("xlink:href") + page.values("src")
    assert all(link is not None and link.startswith("#") for link in links)
    assert not page.values("style")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "@import" not in page.style
    assert "url(" not in page.style


def test_the_content_policy_allows_this_style_sheet_and_nothing_else(run_folder: Path) -> None:
    page = page_of(run_folder)
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_page_can_be_read_without_eyes(run_folder: Path) -> None:
    page = page_of(run_folder)
    ids = Counter(page.values("id"))
    assert ids.most_common(1)[0][1] == 1
    assert all("scope" in header for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    figures = page.all("svg")
    assert len(figures) == 12
    for figure in figures:
        assert figure["role"] == "img"
        assert all(said in ids for said in (figure["aria-labelledby"] or "").split())
    assert all(target in ids for target in (link[1:] for link in page.values("href") if link))


def test_case_text_stays_out(run_folder: Path) -> None:
    predictions = next(run_folder.glob("cells/**/predictions.jsonl"))
    text = json.loads(predictions.read_text().splitlines()[0])["text"]
    assert text not in write_report(run_folder).read_text()
    assert hashlib.sha256(predictions.read_bytes()).hexdigest() in write_report(run_folder).read_text()


def test_hostile_names_are_shown_not_obeyed(run_folder: Path) -> None:
    attack = "<script>alert(1)</script>\"' onload=x $\\frac{1}$"

    def poison(results: dict[str, Any]) -> None:
        results["study"]["name"] = results["study"]["question"] = results["command"] = attack
        results["study"]["model"]["title"] = attack
        for task in results["study"]["tasks"]:
            task["title"] = attack
        for cell in results["cells"]:
            if cell.get("confusion"):
                cell["confusion"]["labels"] = [attack for _ in cell["confusion"]["labels"]]
        for contrast in results["contrasts"]:
            contrast["sentence"] = attack

    (run_folder / "study.yaml").write_text(f"</pre>{attack}")
    page = page_of(change(run_folder, poison))
    assert not page.all("script")
    assert not page.values("onload")
    assert page.text.count(attack) > 30


def test_each_seed_is_shown(run_folder: Path) -> None:
    def second_seed(results: dict[str, Any]) -> None:
        results["study"]["seeds"] = [0, 1]
        results["cells"] += [{**cell, "seed": 1, "value": 0.777} for cell in results["cells"]]

    page = page_of(change(run_folder, second_seed))
    assert "SFT+DPO, seed 1" in page.text
    assert "0.78" in page.text
    assert "Every arm was trained once" not in page.text


def test_what_was_not_measured_is_a_dash_and_never_a_number(run_folder: Path) -> None:
    def blank(results: dict[str, Any]) -> None:
        results["cells"][0] |= {"value": None, "ci": [None, None], "also": {}, "cost": {}, "evaluation_seconds": None}
        results["cells"][0].pop("confusion")
        results["contrasts"][0]["ci"] = None
        results["study"]["tasks"][0] |= {"majority": None, "also": [{"metric": "rouge_l", "labels": []}]}

    text = page_of(change(run_folder, blank)).text
    dash = "\N{EN DASH}"
    assert f"Base 0 {dash} {dash} {dash} 24.0% {dash} {dash}" in text
    assert "None" not in text
    assert "nan" not in text.split()


def test_real_cases_are_not_called_synthetic(run_folder: Path) -> None:
    def make_real(results: dict[str, Any]) -> None:
        for task in results["study"]["tasks"]:
            task["synthetic"] = False

    assert "ynthetic" not in page_of(change(run_folder, make_real)).text


def test_some_synthetic_tasks_are_named(run_folder: Path) -> None:
    def make_real(results: dict[str, Any]) -> None:
        for task in results["study"]["tasks"][1:]:
            task["synthetic"] = False

    text = page_of(change(run_folder, make_real)).text
    assert "The cases of Urinary infection by definition are synthetic and no clinician has reviewed them." in text


def test_preflight_counts_and_findings_are_shown(run_folder: Path) -> None:
    text = page_of(run_folder).text
    assert "read 563 , refused 0" in text
    assert "cases 400 60 100" in text
    assert "cases cut 3 0 0" in text
    assert "warning train cases s-17, s-203 and s-377: were cut to 512 tokens." in text


def test_a_run_without_preflight_and_settings_still_has_a_page(run_folder: Path) -> None:
    (run_folder / "preflight.json").unlink()
    (run_folder / "study.yaml").unlink()
    assert "This run folder holds no preflight." in page_of(run_folder).text


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "no results"), ("{", "not JSON"), ("[]", "not a JSON object"), ('{"study": {}}', "missing: 'name'")],
)
def test_unusable_results_are_refused_by_name(tmp_path: Path, content: str | None, what: str) -> None:
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(InputError, match=what) as refused:
        write_report(tmp_path)
    assert refused.value.problems[0].where == str(tmp_path / "results.json")
    assert not (tmp_path / "report.html").exists()
