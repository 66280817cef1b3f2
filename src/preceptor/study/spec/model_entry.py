"""What a study file says of a further model: what names it, and how much of it is meant, or how it is made."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_serializer

from preceptor.models import MadeModel, made_settings_of


class ModelEntry(BaseModel):
    """A folder, a hub id or an embedded model; a text alone is its `model`. layers: how many of an encoder's, from the
    first; all when None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    layers: int | None = Field(default=None, ge=1)

    @model_serializer
    def _as_it_is_written(self) -> str | dict[str, Any]:
        return self.model if self.layers is None else {"model": self.model, "layers": self.layers}


def _read(raw: Any) -> Any:
    """What names a model has `model`, and the settings of one that is made have `family`."""
    if isinstance(raw, str):
        return ModelEntry(model=raw)
    if isinstance(raw, dict):
        return made_settings_of(raw) if "family" in raw else ModelEntry.model_validate(raw)
    return raw


FurtherModel = Annotated[
    ModelEntry | MadeModel, BeforeValidator(_read, json_schema_input_type=ModelEntry | MadeModel | str)
]
