"""Kinds of models: one file each, found by its name; adding a kind is adding a file.

Such a file has
- `AUTO_MODEL`, the class of transformers that loads and builds the model, and `PEFT_TASK`, peft's name of its task;
- `POOL`, which hidden states a head reads by default (see `Head`): those of the token that has seen all others;
- `WRITES: bool`, whether it writes text, token by token;
- `trim(model)`: take off the layers of a loaded model that nothing here uses;
- `missing(folder: Path) -> tuple[str, str] | None`: what the folder lacks beside weights and a tokenizer, and the fix;
- `check_tokenizer(tokenizer, where: str)`, which raises `InputError` when `encode` could not use it;
- `encode(tokenizer, messages, answer) -> Encoded`, see `models.encode`;
- `ends(tokenizer) -> (front, back)`: the token ids that stand around a text that belongs to no chat;
- `DTYPE`, where its weights are of one number format whatever is asked, and `drawn(folder, seed)`, its model with new
  weights, where it is made from settings (`_made.py`) and its folder has none; `in_torch(config)`, if torch alone has
  all that it is made of, how its states are computed by that;
- `fits(config: dict) -> bool`, whether a `config.json` is of this kind. Only `causal` has none: it takes the others.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from preceptor.models._json import read_json

_DEFAULT = "causal"


def find_family(folder: Path) -> ModuleType:
    """The family whose `fits` accepts the `config.json` in `folder`; `causal` when none does or there is no such file.

    Raises `InputError` when the file holds no JSON object.
    """
    names = sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))
    others = [import_module(f"{__name__}.{name}") for name in names if name != _DEFAULT]
    config = read_json(folder / "config.json")
    return next((family for family in others if family.fits(config)), import_module(f"{__name__}.{_DEFAULT}"))
