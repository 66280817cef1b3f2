"""Heads that read snippets are not taken out of a run; what serves reads plain texts."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from preceptor.engine import Numerics
from preceptor.models import HEAD, ModelSource, SlotSettings, load_tokenizer, save_policy, start_policy
from preceptor.ship._export import _unavailable
from preceptor.ship.serving._chat_request import ChatRequest
from preceptor.ship.serving._prompt_reader import Reader
from preceptor.study import ArmOfRun
from preceptor.study.spec.file import make_study
from preceptor.tasks import load_task

STUDY = {
    "name": "snippets", "arms": [{"name": "read", "stages": ["classify"], "answer": "head"}], "adapter": "none",
    "tasks": [{"task": "long_note", "data": {"cases": 30}}],
}  # fmt: skip


@pytest.fixture
def arm(encoder_source: ModelSource, tmp_path: Path) -> ArmOfRun:
    """Of a head that reads snippets, on an adapter."""
    head = SlotSettings(type=HEAD, outputs=4, pool="snippet_attention")
    slots = {"head": head, "one": SlotSettings(type="LORA", r=4, target_modules="all-linear")}
    save_policy(start_policy(encoder_source, None, slots, list(slots), seed=0, dtype=torch.float32), tmp_path)
    finished = cast("Any", SimpleNamespace(study=make_study(STUDY, "test")))
    task = load_task("long_note")
    return ArmOfRun(finished, task, "read", 0, encoder_source, Numerics(threads=1), tmp_path, Path())


@pytest.mark.parametrize("to", ["adapter", "merged"])
def test_a_head_that_reads_snippets_is_refused_by_name(arm: ArmOfRun, to: Any) -> None:
    (said,) = map(str, _unavailable(arm, to, load_tokenizer(arm.source)))
    assert said.startswith(f"--to {to}: the head of read reads snippets, which a study makes of a case")


def test_a_request_cannot_part_its_text_in_snippets(arm: ArmOfRun) -> None:
    task, tokenizer = load_task("long_note"), load_tokenizer(arm.source)
    reader = Reader(task, tokenizer, 512, by_head=True)
    for said, same in (("a\x1eb", "a b"),):
        turns = [
            [{"role": "system", "content": task.instruction}, {"role": "user", "content": one}] for one in (said, same)
        ]
        found = [reader.read(ChatRequest.model_validate({"messages": some})) for some in turns]
        assert found[0].ids == found[1].ids
        fields = [ChatRequest.model_validate({"messages": [], "fields": {"note": one}}) for one in (said, same)]
        assert reader.read(fields[0]).ids == reader.read(fields[1]).ids
