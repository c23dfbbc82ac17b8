"""The strictness that every part of a source file shares."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

DAY_S = 86400.0
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
ParamName = Annotated[str, Field(min_length=1, max_length=200)]


class Strict(BaseModel):
    """A part of the file: unknown keys are faults, and nothing is changed once it is read."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )
