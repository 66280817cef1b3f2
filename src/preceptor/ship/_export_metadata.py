"""The metadata of an export: a README with the model card, and a manifest with provenance and checksums."""

import json
from collections.abc import Iterable
from pathlib import Path

from preceptor._version import __version__
from preceptor.files import digest_file, write_atomic, write_json
from preceptor.models import PROMPT_FILE, how_to_load, in_front
from preceptor.ship._head_words import how_to_use
from preceptor.ship._merge import Rounding
from preceptor.ship._parity import Parity
from preceptor.ship._reload import GGUF_FILE, To
from preceptor.ship._slots import adapters_of
from preceptor.study import ArmOfRun

MANIFEST = "export.json"
"""Marks a folder as an export; other folders are never overwritten."""
MAY_REPEAT = "A tuned model may repeat the cases it learned from: keep it where these may be kept."


def write_metadata(
    arm: ArmOfRun,
    to: To,
    folder: Path,
    card: str,
    stops: Iterable[str],
    rounding: Rounding | None,
    parity: Parity | None,
    head_beside: str | None = None,
) -> None:
    """Write `README.md`, the model card with facts of the export, and the manifest `export.json`."""
    used = how_to_use(arm, folder) if arm.by_head else [*_scoring(arm), _decoding(arm, list(stops))]
    if head_beside:
        used.append(f"The head stands in a file of its own: {head_beside}.")
    facts = _facts(arm, to, used, rounding, parity)
    head = card.rstrip() or f"# {arm.source.title}, as it was measured on: {arm.task.title}"
    write_atomic(folder / "README.md", "\n".join([head, "", "## This export", *facts]) + "\n")
    check = None
    if parity is not None:
        check = {"asked": parity.total, "same": parity.same, "same_texts": parity.same_texts, "gap": parity.gap}
    manifest = {
        "preceptor": __version__,
        "to": to,
        "study": arm.study.name,
        "task": arm.task.name,
        "arm": arm.arm,
        "seed": arm.seed,
        "base": arm.source.title,
        **({"layers": layers} if (layers := arm.source.layers) else {}),
        **({"view": view.model_dump(mode="json")} if (view := arm.view) else {}),
        "measured_in": arm.numerics.dtype,
        "label_rule": rule.model_dump(mode="json") if (rule := arm.label_rule) else None,
        "threshold": arm.threshold,
        "form": arm.form,
        "stored_in": rounding.dtype if rounding else None,
        "check": check,
        "files": {file.relative_to(folder).as_posix(): digest_file(file) for file in _files(folder)},
    }
    write_json(folder / MANIFEST, manifest)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _facts(arm: ArmOfRun, to: To, used: list[str], rounding: Rounding | None, parity: Parity | None) -> list[str]:
    base = arm.source.title
    content = {
        "adapter": f"{_adapters(arm)} works on {base} alone, whose weights are not here.{_first_layers(arm)}",
        "merged": f"{base} with what {arm.arm} changed in its weights. It needs no adapter.",
        "gguf": f"`{GGUF_FILE}` is {base} with what {arm.arm} changed in its weights; `Modelfile` is for Ollama.",
    }[to]
    if arm.source.kind == "made":
        content = f"{base}, trained from scratch. It needs no adapter."
    if arm.folder is None:
        content = f"The untouched model {base}."
    facts = [
        content,
        *_together(arm, to),
        *_shown(arm),
        *([loaded] if (loaded := how_to_load(arm.source)) else []),
        f"It is the model with seed {arm.seed}, measured in {arm.numerics.dtype}.",
        *used,
        *([str(rounding)] if rounding else []),
        f"Asked again after it was written: {parity}."
        if parity
        else "Not checked against the study when it was written.",
        *([MAY_REPEAT] if arm.folder is not None else []),
    ]
    return [f"- {one}" for one in facts]


def _shown(arm: ArmOfRun) -> list[str]:
    """What an arm with a view reads of a case in place of the task's prompt."""
    view = arm.view
    if view is None:
        return []
    fields = "; ".join(f"`{name}`, {text[:1].lower()}{text[1:]}" for name, text in arm.task.fields.items())
    facts = [
        f"Its user's turn is the view `{arm.study.arm(arm.arm).view}` in place of the task's prompt, with each "
        f"{{field}} filled in: {json.dumps(view.template, ensure_ascii=False)}. Fields: {fields}."
    ]
    if view.known == "after":
        facts.append(
            "Some of that is written only when the decision was made (`known: after`): it tells nothing before."
        )
    return facts


def _scoring(arm: ArmOfRun) -> list[str]:
    """How the study made answers of label scores, and what free text was worth; nothing for written answers."""
    rule, form = arm.label_rule, arm.form
    if rule is None:
        return []
    reasoning = " and its own reasoning" if arm.task.answer.parser == "final_answer" else ""
    facts = [
        "The study did not read labels out of text: it scored each behind the prompt"
        f"{reasoning} (summed log-probability of its tokens and the stop token), took tau = {rule.tau:g} times the "
        f"label's mean score away, and answered with the highest. `label_rule` in `{MANIFEST}` has labels, tau and "
        "means; `preceptor serve` answers so."
    ]
    if form:
        facts.append(
            f"As free text, {form['readable']:.0%} of its answers to {form['cases']:g} validation cases can be read as "
            f"a label, and {form['agreement']:.0%} say the label that was scored highest."
        )
    return facts


def _decoding(arm: ArmOfRun, stops: list[str]) -> str:
    stop = " or ".join(f"`{stop}`" for stop in stops)
    if arm.label_rule:
        return (
            f"To have it write, decode greedily (temperature 0, no repetition penalty), with at most "
            f"{arm.task.answer.max_new_tokens} tokens that end with {stop}, and at most {arm.max_length} tokens "
            "of prompt and answer together."
        )
    return (
        f"It was measured with greedy decoding (temperature 0, no repetition penalty), answers of at most "
        f"{arm.task.answer.max_new_tokens} tokens that end with {stop}, and at most {arm.max_length} tokens of "
        "prompt and answer together."
    )


def _adapters(arm: ArmOfRun) -> str:
    adapters = adapters_of(arm)
    if not adapters:
        return "A head. It"
    kind = next(iter(adapters.values())).type.replace("LORA", "LoRA")
    if len(adapters) == 1:
        made = f" `{PROMPT_FILE}` is what makes its vectors, for training them further."
        front = any(map(in_front, adapters.values()))
        return f"An adapter ({kind}), as PEFT loads it.{made if front else ''} It"
    return f"Adapters ({kind}) that act together, in a folder each: {', '.join(adapters)}. The stack"


def _first_layers(arm: ArmOfRun) -> str:
    """How the model below an adapter is loaded where it is a model's first layers."""
    layers = arm.source.layers
    return f" `AutoModel.from_pretrained(..., num_hidden_layers={layers})` loads these layers." if layers else ""


def _together(arm: ArmOfRun, to: To) -> list[str]:
    """How PEFT loads several adapters as one model."""
    if to != "adapter" or len(adapters_of(arm)) < 2:
        return []
    first, *others = adapters_of(arm)
    steps = [
        f'model = PeftModel.from_pretrained(base, "{first}", adapter_name="{first}")',
        *(f'model.load_adapter("{name}", "{name}")' for name in others),
        f"model.base_model.set_adapter({json.dumps([first, *others])})",
    ]
    return [f"PEFT loads them together with {', '.join(f'`{step}`' for step in steps)}."]
