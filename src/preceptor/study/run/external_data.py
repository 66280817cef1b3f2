"""What lies outside a run folder and has to do with its patients, as far as the run knows of it."""

from typing import Any

import yaml

from preceptor.study.run.folder import RunFolder
from preceptor.study.run.test_set_ledger import ledger_path


def external_data(run: RunFolder) -> list[tuple[str, str]]:
    """What, and where it lies, as the study names it; nothing here is read, and a purge deletes none of it."""
    found = []
    try:
        study: dict[str, Any] = yaml.safe_load(run.study.read_text(encoding="utf-8"))
        for entry in study["tasks"]:
            path = entry["data"].get("path")
            files = path.values() if isinstance(path, dict) else [path] if path else []
            found += [("the data", str(file)) for file in files]
            found += [("raters' gold labels", entry["gold"])] if entry.get("gold") else []
        found += [("raters' votes", study["votes"])] if study.get("votes") else []
        blocks = [*study.values(), *study.get("stages", {}).values()]
        tables = (("a corpus", "corpus"), ("pairs of texts", "pairs"))
        found += [(what, one[key]) for one in blocks if isinstance(one, dict) for what, key in tables if one.get(key)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        found.append(("whatever the study names", "its study.yaml cannot be read"))
    ledger = ledger_path()
    if ledger.exists():
        found.append(("that test sets were looked at: hashes, times and names of studies", str(ledger)))
    return list(dict.fromkeys(found))
