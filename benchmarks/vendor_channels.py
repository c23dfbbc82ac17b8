"""A program: `placet` whose channels post to a vendor of messages, in place of those of a file."""

import os
from typing import Any

from services.bootstrap import wiring
from services.cli import main
from tests.faults.vendor import URL, VendorChannel

CHANNELS = ("chat", "mail", "board", "pager")


def _channels(_: object) -> list[Any]:
    return [VendorChannel(name, os.environ[URL]) for name in CHANNELS]


if __name__ == "__main__":
    setattr(wiring, "make_channels", _channels)  # noqa: B010 # it is replaced, not used
    main()
