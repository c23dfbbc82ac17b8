"""What every channel's file says."""

from typing import Annotated

from pydantic import Field

from services.yaml_files.strict import Strict


class ChannelFile(Strict):
    """One channel; `name` is how events and the directory call it."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,30}$")]
    type: str
