"""The commands that the documentation shows: found in its code blocks and code spans, told apart, never listed."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "bundle/README.md", "examples/README.md")
    ),
    *sorted(ROOT.glob("docs/*.md")),
]

SHELLS = ("sh", "bash", "shell", "console")
OURS = ("preceptor", "make", "python", "python3", "pip", ".ci/run")
OTHERS = (
    *(
        "cat",
        "cd",
        "cp",
        "curl",
        "export",
        "git",
        "mkdir",
        "ollama",
        "openssl",
        "podman",
        "ray",
        "scp",
        "source",
        "ssh",
        "tar",
    ),
    *(
        "./self-test.sh",
        "convert_hf_to_gguf.py",
        "inspect",
        "llama-server",
        "lm_eval",
        "torchrun",
        "umask",
        "vllm",
        "wandb",
    ),
)
"""Programs of others that the pages may call; of what they are told, nothing can be checked here."""

_OPERATORS = set("|&;()")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block, or an indented one: `where` is `page:line` of its first line."""

    where: str
    language: str
    text: str

    @property
    def is_shell(self) -> bool:
        """Whether it is commands: called so, or begun with a program."""
        first = next((line for line in self.text.split("\n") if line.strip() and not line.startswith("#")), "")
        return self.language in SHELLS or (not self.language and _is_program(_program(first)))

    def commands(self) -> list[list[str]]:
        """Its commands in words, comments left out; a variable that is set before one is no word of it."""
        return [words for line in _whole_lines(self.text) for words in split(line)]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced and the indented blocks of a page, in order."""
    text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix()
    fenced = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
    for found in fenced.finditer(text):
        yield Block(f"{name}:{_line(text, found.start(3))}", found[2], found[3])
    blank = fenced.sub(lambda found: re.sub(r"[^\n]", "", found[0]), text)
    for found in re.finditer(r"(?<=\n\n)((?: {4}\S.*\n)+)", blank):
        block = Block(f"{name}:{_line(blank, found.start())}", "", re.sub(r"^ {4}", "", found[0], flags=re.MULTILINE))
        if block.is_shell:
            yield block


def spans(page: Path) -> Iterator[tuple[str, list[str]]]:
    """`page:line` and the words of every code span that begins with a program of ours."""
    text, name = page.read_text(encoding="utf-8"), page.relative_to(ROOT).as_posix()
    text = re.sub(r"^( *)```.*?^\1```$", lambda found: re.sub(r"[^\n]", "", found[0]), text, flags=re.M | re.S)
    for found in re.finditer(r"(?<!`)`([^`]+)`(?!`)", text):
        if _program(found[1]) in OURS and " " in found[1].strip():
            yield f"{name}:{_line(text, found.start())}", shlex.split(found[1].replace("\\|", "|"))


def split(line: str) -> list[list[str]]:
    """The commands of one line: `a && b | c > file` is three, and what follows `>` belongs to none."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="()|&;<>")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if set(word) <= _OPERATORS:
            found.append([])
        elif set(word) <= set("<>"):
            next(words, None)
        elif found[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
            found[-1].append(word)
    return [words for words in found if words]


def program(words: list[str]) -> list[str]:
    """The same with `.venv/bin/preceptor` called `preceptor`, and `python -m pip` called `pip`."""
    first = words[0].removeprefix(".venv/bin/")
    plain = ["python" if first == "python3" else first, *words[1:]]
    return plain[2:] if plain[:3] == ["python", "-m", "pip"] else plain


def _is_program(word: str) -> bool:
    return word in (*OURS, *OTHERS) or ("/" in word and (ROOT / word).is_file())


def _program(line: str) -> str:
    first = line.strip().removeprefix("$ ").removeprefix("(").split(" ")[0]
    return first.removeprefix(".venv/bin/")


def _whole_lines(text: str) -> Iterator[str]:
    """Lines that a backslash or an open quote carries on are one."""
    open_ = ""
    for line in text.split("\n"):
        open_ = f"{open_}{line.removeprefix('$ ')}"
        if open_.endswith("\\"):
            open_ = open_[:-1]
            continue
        try:
            shlex.split(open_, comments=True)
        except ValueError:
            open_ += "\n"
            continue
        if open_.strip():
            yield open_
        open_ = ""
    assert not open_.strip(), f"this command never ends: {open_}"


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
