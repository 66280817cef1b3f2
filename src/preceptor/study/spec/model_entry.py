"""What a study file says of a further model: what names it, and how much of it is meant."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_serializer


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


def _from_text(raw: Any) -> Any:
    return {"model": raw} if isinstance(raw, str) else raw


FurtherModel = Annotated[ModelEntry, BeforeValidator(_from_text, json_schema_input_type=ModelEntry | str)]
