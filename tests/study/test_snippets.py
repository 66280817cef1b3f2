"""Arms that read snippets, from the file to the results and back; a tiny random BERT, in float32."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from scipy.stats import spearmanr

from long_cases import short_encoder
from preceptor.errors import InputError
from preceptor.models import find_model, heads_of, load_policy, load_tokenizer, snippets_of
from preceptor.report import write_report
from preceptor.study import load_study, machine, plan_study, read_planned, run_study
from preceptor.study.cases import case_text, check_task, prepare, read_task
from preceptor.study.check import look_at_study
from preceptor.study.finished.arm import open_arm
from preceptor.study.predictions.prediction_files import read_predictions
from preceptor.study.results.schema import Results
from preceptor.text_pieces import pieces_of
from snippet_cases import MENTIONS, write_snippet_study


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_encoder(tmp_path_factory.mktemp("encoder") / "short-bert")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> tuple[Path, Path, Results]:
    """The study file, the run folder and the results."""
    folder = tmp_path_factory.mktemp("snippets")
    file = write_snippet_study(folder / "study", encoder)
    study, base = load_study(str(file))
    results = run_study(study, base, folder / "run", Console(quiet=True), command="preceptor study")
    write_report(folder / "run")
    return file, folder / "run", results


def cell(results: Results, arm: str) -> Any:
    (found,) = results.of_arm("urgency", arm)
    return found


def kept(run: Path, arm: str) -> list[Any]:
    (file,) = run.glob(f"cells/urgency/*/{arm}/seed-0/predictions.jsonl")
    return read_predictions(file.parent)


@pytest.mark.slow_recipe
def test_what_one_snippet_says_is_learnt_and_found_by_its_weight(done: tuple[Path, Path, Results]) -> None:
    weighed = cell(done[2], "weighed")
    assert weighed.value > 0.9
    assert cell(done[2], "random").value < weighed.value
    found = weighed.snippets
    assert found.cases == weighed.n
    assert found.alone == 0
    assert found.hits.held == 1
    assert found.hits.by_chance == pytest.approx(1 / MENTIONS, abs=0.08)
    assert found.drop.value > 0
    assert found.hits.share.value > found.hits.by_chance


@pytest.mark.slow_recipe
def test_figures_are_those_of_the_kept_weights_and_drops(done: tuple[Path, Path, Results]) -> None:
    """Trap 3: beside each weight stands what is lost without the snippet."""
    found = cell(done[2], "weighed").snippets
    drops, ranks = [], []
    for one in kept(done[1], "weighed"):
        weights, own = np.array([s.weight for s in one.snippets]), np.array([s.drop for s in one.snippets])
        assert weights.sum() == pytest.approx(1)
        drops.append(own[weights.argmax()] - own.mean())
        ranks.append(spearmanr(weights, own).statistic)
    assert found.drop.value == pytest.approx(np.mean(drops))
    assert found.rank_correlation.value == pytest.approx(np.mean(ranks))
    assert found.drop.ci[0] <= found.drop.value <= found.drop.ci[1]
    assert all(one.snippets is None for arm in ("averaged", "words") for one in kept(done[1], arm))
    assert cell(done[2], "averaged").snippets is None


@pytest.mark.slow_recipe
def test_a_drop_is_what_the_head_says_of_the_case_without_the_snippet(done: tuple[Path, Path, Results]) -> None:
    """Trap 6: what is kept of a snippet are the note's own characters."""
    policy = weighing_policy(done[1])
    (file, _, _), one = done, kept(done[1], "weighed")[0]
    study, base = load_study(str(file))
    prepared = prepare(checked(study, base, policy.tokenizer), study, policy.tokenizer).views["snippets"]
    example, head = prepared.shown[0], heads_of(policy.model)["by_weight"]
    texts = [snippet.text for snippet in one.snippets]
    assert texts == pieces_of(case_text(prepared.task, example))
    at = 0
    for text in texts:
        at = example.fields["note"].index(text, at) + len(text)
    with torch.no_grad():

        def logprobs(ids: list[int]) -> torch.Tensor:
            own = [policy.model(input_ids=torch.tensor([piece])).last_hidden_state[0] for piece in snippets_of(ids)]
            return head(head.pooled(own)).log_softmax(-1)

        whole = prepared.test[0]
        answer = prepared.task.labels.index(one.answer)
        for j, snippet in enumerate(one.snippets):
            without = [token for n, piece in enumerate(snippets_of(whole)) for token in piece if n != j]
            drop = float(logprobs(whole)[answer] - logprobs(without)[answer])
            assert snippet.drop == pytest.approx(drop, abs=1e-4)


def weighing_policy(run: Path) -> Any:
    results = Results.model_validate_json((run / "results.json").read_bytes())
    folder = run / str(cell(results, "weighed").policy)
    policy = load_policy(find_model(results.study.model.name), folder, dtype=torch.float32)
    policy.model.eval()
    return policy


def checked(study: Any, base: Path, tokenizer: Any) -> Any:
    return check_task(read_task(study.tasks[0], study, base), study, tokenizer)


@pytest.mark.slow_recipe
def test_results_are_read_again_and_the_same_command_answers_nothing_anew(done: tuple[Path, Path, Results]) -> None:
    file, run, results = done
    again = Results.model_validate_json((run / "results.json").read_bytes())
    assert cell(again, "weighed").snippets == cell(results, "weighed").snippets
    before = {one: one.stat().st_mtime_ns for one in run.glob("cells/**/predictions.jsonl")}
    study, base = load_study(str(file))
    run_study(study, base, run, Console(quiet=True), command="preceptor study")
    assert {one: one.stat().st_mtime_ns for one in run.glob("cells/**/predictions.jsonl")} == before


@pytest.mark.slow_recipe
def test_the_plan_counts_what_is_read_of_snippets(done: tuple[Path, Path, Results]) -> None:
    study, base = load_study(str(done[0]))
    planned = read_planned(study, base)
    plan = plan_study(planned, machine(None, None, None), timed=False)
    answers = next(one for one in plan.needs if one.what == "answers of weighed")
    prompts = planned.tasks[0].views["snippets"].test
    assert answers.seen == sum(map(len, prompts))


@pytest.mark.slow_recipe
def test_the_report_says_what_weights_are_worth_and_shows_snippets_where_text_may_be(
    done: tuple[Path, Path, Results],
) -> None:
    first = kept(done[1], "weighed")[0]
    page = write_report(done[1], with_text=True).read_text()
    largest = max(first.snippets, key=lambda one: one.weight)
    assert f"<mark>{largest.text}</mark>" in page
    assert all(one.text in page for one in first.snippets)
    page = write_report(done[1]).read_text()
    assert "nats of log-probability more without the snippet of the largest weight" in page
    assert "holds the gold evidence in" in page
    said = "Each snippet of a case was read by itself, and the classifier read the mean of snippets, "
    assert said + "weighed by an attention over them." in " ".join(page.split())
    assert said + "all alike." in " ".join(page.split())
    assert first.snippets[0].text not in page


@pytest.mark.slow_recipe
def test_a_model_of_snippets_is_not_served(done: tuple[Path, Path, Results]) -> None:
    with pytest.raises(
        InputError, match="weighed is shown around, a field that the study made: no case from elsewhere"
    ):
        open_arm(done[1], "urgency", "weighed", heads=True)


def test_no_arm_is_shown_the_evidence(tmp_path: Path, encoder: Path) -> None:
    """Prompts, views and made fields stay the same whatever the evidence is."""
    file = write_snippet_study(tmp_path, encoder)
    study, base = load_study(str(file))
    tokenizer = load_tokenizer(find_model(str(encoder)))
    prepared = prepare(checked(study, base, tokenizer), study, tokenizer)
    table = (tmp_path / "cases.csv").read_text()
    (tmp_path / "cases.csv").write_text(
        "\n".join([table.splitlines()[0], *(_with_proof(line) for line in table.splitlines()[1:])]) + "\n"
    )
    marked = prepare(checked(study, base, tokenizer), study, tokenizer)
    for view in (None, "snippets", "random"):
        assert marked.seen(view).test == prepared.seen(view).test
        assert [one.prompt for one in marked.seen(view).train] == [one.prompt for one in prepared.seen(view).train]
        assert not any("MARK" in case_text(marked.seen(view).task, one) for one in marked.seen(view).shown)
    shown = [{"task": "urgency.task.yaml", "data": study.tasks[0].data.model_dump(exclude_defaults=True)}]
    for entry in (
        {"views": {"proof": "{proof}"}},
        {"views": {"made": "{made}"}, "fields": {"made": {"snippets": "proof", "terms": ["dose"]}}},
    ):
        changed = write_snippet_study(
            tmp_path, encoder, tasks=[shown[0] | entry], arms=["tfidf"], primary=[], stages={}, slots={}
        )
        looked = look_at_study(*load_study(str(changed)), Console(quiet=True))
        assert sum("holds what the right answer rests on" in str(one) for one in looked.problems) == 1


def _with_proof(line: str) -> str:
    patient, note, _, label = line.split(",")
    return ",".join([patient, note, "MARK", label])


def test_a_snippet_that_is_longer_than_the_positions_is_refused(tmp_path: Path, encoder: Path) -> None:
    """It ended in an error of torch's."""
    entry = {
        "task": "urgency.task.yaml", "data": {"path": "cases.csv", "target": "urgency", "group": "patient"},
        "fields": {"around": {"snippets": "note", "terms": ["dose"], "words": 40}}, "views": {"snippets": "{around}"},
    }  # fmt: skip
    arms = [{"name": "weighed", "stages": ["attended"], "answer": "head", "view": "snippets"}]
    file = write_snippet_study(tmp_path, encoder, tasks=[entry], arms=arms, primary=[], max_length=1024)
    said = [str(one) for one in look_at_study(*load_study(str(file)), Console(quiet=True)).problems]
    assert len(said) == 1
    assert "view snippets: a snippet has " in said[0]
    assert "tokens, and short-bert has room for 48" in said[0]


def test_snippets_on_a_causal_model_are_refused(tmp_path: Path, encoder: Path, tiny_model_folder: Path) -> None:
    file = write_snippet_study(tmp_path, tiny_model_folder)
    said = [str(one) for one in look_at_study(*load_study(str(file)), Console(quiet=True)).problems]
    assert any("slot by_weight: snippets are for encoders" in one for one in said), said
