"""TF-IDF of several labels: the models that scikit-learn would give, and labels that training never shows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

import labels_study
from preceptor.study.answers import _tfidf_sets
from preceptor.study.answers._tfidf_sets import learn_sets
from preceptor.study.cases import Prepared, case_text
from preceptor.study.label_sets import membership
from prepared_study import DATA, prepare_tiny


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Any) -> Prepared:
    folder: Path = tmp_path_factory.mktemp("sets")
    labels_study.write_table(folder / "several.csv")
    labels = labels_study.TASK["answer"]["labels"] | {"gout": "Gout"}
    task = labels_study.TASK | {"answer": labels_study.TASK["answer"] | {"labels": labels}}
    entry = {"task": "urgency.task.yaml", "data": DATA | {"path": "several.csv"}}
    return prepare_tiny(folder, tiny_tokenizer, task=task, tasks=[entry])[1]


@pytest.mark.parametrize("few", [0, 2000])
def test_it_is_one_logistic_regression_a_label(prepared: Prepared, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """Whether rows are turned or not; LEADER trap 11: a label that no training case has is given by none."""
    monkeypatch.setattr(_tfidf_sets, "_FEW", few)
    task, train, test = prepared.task, prepared.splits.train, prepared.splits.test
    asked = [case_text(task, one) for one in test]
    found = learn_sets(prepared, TfidfVectorizer(), [1.0])(asked)
    gold = membership(task, [task.label_set(one.target) or () for one in train])[:, :3].astype(int)
    expected = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(LogisticRegression(C=1.0, max_iter=1000)))
    expected.fit([case_text(task, one) for one in train], gold)
    assert found[:, :3] == pytest.approx(expected.predict_proba(asked), abs=1e-3)
    assert (found[:, 3] == 0).all()


def test_held_out_cases_choose_nothing(prepared: Prepared) -> None:
    """LEADER trap 9: strength and threshold are of validation cases."""
    looked_at: list[str] = []

    class Watched(TfidfVectorizer):
        def transform(self, raw_documents: Any) -> Any:
            looked_at.extend(raw_documents)
            return super().transform(raw_documents)

    likely = learn_sets(prepared, Watched(), [0.1, 10.0])
    assert looked_at == [case_text(prepared.task, one) for one in prepared.splits.validation]
    assert likely(["well"]).shape == (1, 4)
    assert np.isfinite(likely(["nothing known"])).all()
