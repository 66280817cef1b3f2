"""Questions that abstracts answer with yes, no or maybe (PubMedQA, Jin et al., EMNLP 2019). JSON keyed by PMID.

The long answer is the abstract's own conclusion, left out of the context. Its first sentence, shortened, is the
reasoning to be written before the final answer.
"""

import json
import re
from pathlib import Path
from typing import Any

LONGEST_REASONING = 30  # words

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def read(path: Path) -> list[dict[str, str]]:
    """One row per paper: `pmid`, `question`, `abstract` (sections with their headings) and `answer`, two lines."""
    papers: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(papers, dict):
        raise ValueError("not keyed by PMID")
    return [
        {
            "pmid": pmid,
            "question": paper["QUESTION"],
            "abstract": "\n".join(
                f"{head}: {text}" for head, text in zip(paper["LABELS"], paper["CONTEXTS"], strict=True)
            ),
            "answer": f"{brief_reasoning(paper['LONG_ANSWER'])}\nAnswer: {paper['final_decision']}",
        }
        for pmid, paper in papers.items()
    ]


def brief_reasoning(long_answer: str) -> str:
    """The first sentence on one line, truncated to `LONGEST_REASONING` words."""
    words = _SENTENCE_END.split(long_answer.strip(), maxsplit=1)[0].split()
    if len(words) <= LONGEST_REASONING:
        return " ".join(words)
    return " ".join(words[:LONGEST_REASONING]).rstrip(",;:") + " ..."
