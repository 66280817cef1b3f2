"""The report: what stands on it, what never does, and that it can be read."""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from html_page import Page
from preceptor.errors import InputError
from preceptor.evidence import number
from preceptor.report import write_cards, write_comparison, write_report
from run_folders import EARLIER, SECRET

ATTACK = "<script>alert(1)</script>\"' onload=x {{ 7*7 }} $\\frac{1}$"


def page_of(folder: Path, *, with_text: bool = False) -> Page:
    return Page(write_report(folder, with_text=with_text).read_text())


def results_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    """Change `results.json` in place."""
    results = results_of(folder)
    results["versions"] |= EARLIER
    edit(results)
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def test_every_result_stands_on_the_page(synthetic: Path) -> None:
    page, results = page_of(synthetic), results_of(synthetic)
    for task in results["study"]["tasks"]:
        assert task["title"] in page.text
        assert task["test_sha256"] in page.text
    for cell in results["cells"]:
        low, high = cell["ci"]
        assert f"{number(cell['value'])} [{number(low)}, {number(high)}]" in page.text
        assert f"{100 * cell['invalid_rate']:.1f}%" in page.text
        assert cell["predictions"]["sha256"] in page.text
    for contrast in results["contrasts"]:
        assert number(contrast["delta"], signed=True) in page.text
        assert contrast["verdict"] in page.text
    for conclusion in results["conclusions"]:
        assert conclusion["sentence"] in page.text
        assert f"Recommendation: {conclusion['recommendation']}" in page.text
        assert all(warning in page.text for warning in conclusion["warnings"])
    assert results["design"]["sha256"] in page.text


def test_what_a_committee_reads_first_comes_first(synthetic: Path) -> None:
    header, text = page_of(synthetic).text.split(" Make it again ", maxsplit=1)
    assert "Intended use:" in header
    assert "The cases are synthetic and no clinician has reviewed them." in header
    assert "Look at these cases the first" in header
    order = ["Recommendation:", "What this does not show", "All arms on all tasks",
             "published results on other data with other models", "Flow of cases", "Methods, ready to paste",
             "TRIPOD-LLM checklist", "How to make it again"]  # fmt: skip
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_an_exploratory_study_says_so_at_the_top(synthetic: Path) -> None:
    def look_again(results: dict[str, Any]) -> None:
        results["exploratory"] = results["design"]["changed"] = True
        results["study"]["tasks"][0]["looks"] = 3

    assert "Exploratory." not in page_of(synthetic).text
    text = page_of(change(synthetic, look_again)).text
    why = "had been looked at before and the design was changed after predictions had been made."
    assert text.index("Exploratory.") < text.index(why) < text.index("Held-out patients")
    assert "look number 3 at them" in text


def test_the_page_is_written_into_the_run_folder_and_is_the_same_each_time(real: Path) -> None:
    path = write_report(real)
    first = path.read_bytes()
    assert path == real / "report.html"
    assert write_report(real).read_bytes() == first


def test_nothing_is_loaded_and_nothing_runs(synthetic: Path) -> None:
    page = page_of(synthetic)
    assert not {"script", "link", "img", "iframe", "object", "form"} & {tag for tag, _ in page.elements}
    links = page.values("href") + page.values("xlink:href") + page.values("src")
    assert all(link is not None and link.startswith("#") for link in links)
    assert not page.values("style")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert "@import" not in page.style
    assert "url(" not in page.style


def test_the_content_policy_allows_this_style_sheet_and_nothing_else(real: Path) -> None:
    page = page_of(real)
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_the_page_can_be_read_without_eyes(synthetic: Path) -> None:
    page = page_of(synthetic)
    ids = Counter(page.values("id"))
    assert ids.most_common(1)[0][1] == 1
    assert all("scope" in header for header in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    figures = page.all("svg")
    assert len(figures) == 1 + 2 * 3
    for figure in figures:
        assert figure["role"] == "img"
        assert all(said in ids for said in (figure["aria-labelledby"] or "").split())
    assert all(target in ids for target in (link[1:] for link in page.values("href") if link))


def test_hostile_names_and_texts_are_shown_not_obeyed(synthetic: Path) -> None:
    def poison(results: dict[str, Any]) -> None:
        results["study"]["name"] = results["study"]["question"] = results["command"] = ATTACK
        results["study"]["model"]["title"] = results["created"] = ATTACK
        for task in results["study"]["tasks"]:
            task["title"] = task["leakage"] = ATTACK
            task["leakage"] = [ATTACK]
        for cell in results["cells"]:
            if cell.get("confusion"):
                cell["confusion"]["labels"] = [ATTACK for _ in cell["confusion"]["labels"]]
        for conclusion in results["conclusions"]:
            conclusion["sentence"], conclusion["warnings"] = ATTACK, [ATTACK]
        for cell in results["cells"]:
            file = synthetic / cell["predictions"]["path"]
            rows = [json.loads(line) | {"text": f"{cell['arm']} {ATTACK}"} for line in file.read_text().splitlines()]
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            cell["predictions"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()

    (synthetic / "study.yaml").write_text(f"</pre>{ATTACK}")
    page = page_of(change(synthetic, poison))
    assert not page.all("script")
    assert not page.values("onload")
    assert page.text.count("alert(1)") > 100
    assert "{{ 7*7 }}" in page.text


TURNED = "\u202eevil\u202c \u2066a\u2069 \u200e\u200f\u061c \x1b[31mred"


def test_names_that_turn_their_direction_are_shown_with_a_sign(synthetic: Path, tmp_path: Path) -> None:
    def turn(results: dict[str, Any]) -> None:
        results["study"]["name"] = results["study"]["question"] = results["command"] = TURNED
        results["study"]["model"]["title"] = TURNED
        for task in results["study"]["tasks"]:
            task["title"] = TURNED
        for cell in results["cells"]:
            if cell.get("confusion"):
                cell["confusion"]["labels"] = [TURNED for _ in cell["confusion"]["labels"]]
        for conclusion in results["conclusions"]:
            conclusion["sentence"] = TURNED

    change(synthetic, turn)
    written = [
        write_report(synthetic),
        write_comparison(synthetic, synthetic, tmp_path / "a.html"),
        *write_cards(synthetic),
    ]
    for path in written:
        text = path.read_text()
        assert "evil" in text
        assert not set(text) & set("\u202e\u202c\u2066\u2069\u200e\u200f\u061c\x1b"), path


def test_the_text_of_a_real_case_stays_out_unless_it_is_asked_for(real: Path) -> None:
    page = page_of(real)
    assert "heart rate" not in page.html
    assert SECRET not in page.html
    assert "It holds no text of a real case." in page.text
    opened = page_of(real, with_text=True)
    assert "heart rate" in opened.text
    assert "treat it as patient data" in opened.text


def test_each_seed_is_shown(real: Path) -> None:
    page, results = page_of(real), results_of(real)
    assert "SFT+DPO, 1" in page.html
    assert "SFT+DPO, seed 1" in page.text
    for contrast in results["contrasts"]:
        assert ", ".join(number(seed["delta"], signed=True) for seed in contrast["seeds"]) in page.text


def test_what_was_not_measured_is_a_dash_and_never_a_number(synthetic: Path) -> None:
    def blank(results: dict[str, Any]) -> None:
        results["cells"][0] |= {"value": None, "ci": [None, None], "also": {}, "cost": {}, "evaluation_seconds": None}
        results["cells"][0].pop("confusion")
        results["contrasts"][0] |= {"ci": None, "ci_90": [None, None], "p": None, "p_adjusted": None}
        results["study"]["tasks"][0] |= {"majority": None, "power": None, "looks": None, "margin": None}

    text = page_of(change(synthetic, blank)).text
    assert "None" not in text
    assert "nan" not in text.split()
    assert "no margin was set, so nothing can be called equivalent" in text


def test_real_cases_are_not_called_synthetic(real: Path) -> None:
    text = page_of(real).text
    assert "ynthetic" not in text.replace("which cases are synthetic", "").replace("Built-in cases are made", "")


def test_some_synthetic_tasks_are_named(synthetic: Path) -> None:
    def make_real(results: dict[str, Any]) -> None:
        results["study"]["tasks"][1]["synthetic"] = False

    title = results_of(synthetic)["study"]["tasks"][0]["title"]
    assert f"The cases of {title} are synthetic and no" in page_of(change(synthetic, make_real)).text


def test_a_study_without_a_control_says_what_that_means(synthetic: Path) -> None:
    def leave_out(results: dict[str, Any]) -> None:
        results["study"]["arms"] = ["base", "sft", "sft+dpo"]
        results["cells"] = [cell for cell in results["cells"] if cell["arm"] in results["study"]["arms"]]
        results["left_out"] = []
        arms = {*results["study"]["arms"], "majority"}
        results["contrasts"] = [one for one in results["contrasts"] if {one["a"], one["b"]} <= arms]

    assert "No arm continued SFT for the same compute" in page_of(change(synthetic, leave_out)).text


def test_a_run_without_preflight_settings_and_tasks_still_has_a_page(real: Path) -> None:
    (real / "preflight.json").unlink()
    (real / "study.yaml").unlink()
    (real / "tasks/urgency.yaml").unlink()
    text = page_of(real).text
    assert "This run folder holds no preflight." in text
    assert "The settings of this study could not be read again" in text


def test_results_of_an_older_version_have_a_page_that_says_so(real: Path) -> None:
    def grow_young(results: dict[str, Any]) -> None:
        for name in ("design", "exploratory", "conclusions", "made_from"):
            del results[name]
        for task in results["study"]["tasks"]:
            for name in ("margin", "dangerous", "test_sha256", "looks", "power", "leakage", "shots"):
                del task[name]
        for cell in results["cells"]:
            for name in ("never_predicted", "length_ratio", "curves", "policy"):
                del cell[name]
        known = (
            "task",
            "model",
            "metric",
            "a",
            "b",
            "delta",
            "ci",
            "p",
            "p_adjusted",
            "test",
            "n",
            "verdict",
            "sentence",
        )
        results["contrasts"] = [{name: contrast[name] for name in known} for contrast in results["contrasts"]]

    text = page_of(change(real, grow_young)).text
    assert "Older results." in text
    assert all(contrast["sentence"] in text for contrast in results_of(real)["contrasts"])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "no results"),
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"study": {}}', r"study\.name: this entry is missing"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_unusable_results_are_refused_by_name(tmp_path: Path, content: str | bytes | None, what: str) -> None:
    if content is not None:
        (tmp_path / "results.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=what) as refused:
        write_report(tmp_path)
    assert refused.value.problems[0].where.startswith(str(tmp_path / "results.json"))
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("cells", 0, "value"), "0.5"),
        (("cells", 0, "value"), float("nan")),
        (("cells", 0, "arm"), "sft-dpo"),
        (("cells", 0, "ci"), [0.1]),
        (("cells", 0, "confusion", "matrix"), [[1]]),
        (("cells", 0, "invalid_rate"), 2),
        (("contrasts", 0, "verdict"), "splendid"),
        (("conclusions", 0, "recommendation"), "buy"),
        (("study", "tasks"), []),
        (("study", "tasks", 0, "name"), "../../elsewhere"),
        (("study", "seeds"), None),
        (("cells",), "none"),
        (("cells", 0, "predictions", "path"), "cells\0/predictions.jsonl"),
        (("cells", 0, "curves"), {"sft": {"loss": [[0, -1e308], [1, 1e308]]}}),
        (("cells", 0, "curves"), {"sft": {"loss": [[10**400, 0.5]]}}),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(real: Path, place: tuple[Any, ...], value: Any) -> None:
    def spoil(results: Any) -> None:
        for step in place[:-1]:
            results = results[step]
        results[place[-1]] = value

    with pytest.raises(InputError) as refused:
        write_report(change(real, spoil))
    said = str(refused.value)
    assert place[0] in said or "a cell belongs to" in said
    assert "preceptor study" in said
    assert "splendid" not in said


def test_a_damaged_preflight_is_refused_by_name(real: Path) -> None:
    (real / "preflight.json").write_text('{"urgency": {"read": "many"}}')
    with pytest.raises(InputError, match=r"preflight\.json, urgency\.read"):
        write_report(real)


def test_a_folder_that_cannot_be_written_is_named(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (real / "report.html").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_report(real)


def test_many_problems_are_counted_not_listed(real: Path) -> None:
    def spoil(results: dict[str, Any]) -> None:
        for cell in results["cells"]:
            cell["n"] = -1

    with pytest.raises(InputError) as refused:
        write_report(change(real, spoil))
    assert len(refused.value.problems) == 6
    assert "more entries are wrong" in str(refused.value)
