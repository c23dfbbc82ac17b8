"""What a file says about whatever else Apprise reaches."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import AfterValidator

from services.channel_files.definition import ChannelFile
from services.sources.fields import EnvSecret, fault

EXTRA = "placet-server[apprise]"


def _installed(kind: str) -> str:
    if find_spec("apprise") is None:
        raise fault(f"needs a package that is not installed: pip install '{EXTRA}'")
    return kind


class AppriseFile(ChannelFile):
    """One Apprise URL; where it has `{address}`, a person's address of the directory goes."""

    type: Annotated[Literal["apprise"], AfterValidator(_installed)]
    url: EnvSecret
