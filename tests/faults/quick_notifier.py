"""Runs a notifier with a short lease whose channels post to the vendor of a test.

With `forget` it does not write down that a card leaves. So a test need not wait for a lease of
production, and can see that it would notice what that costs.
"""

import os
import sys
from typing import Any

from services import effects
from services.bootstrap import wiring
from services.cli import main
from services.notifier import notify
from tests.faults.vendor import TOLD, UNTOLD, URL, TellingChannel, VendorChannel

LEASE_S = 1.0
RETRY_EVERY_S = 0.1


def _channels(_: object) -> list[Any]:
    url = os.environ[URL]
    return [TellingChannel(TOLD, url), VendorChannel(UNTOLD, url)]


async def _forgotten(*_: object) -> bool:
    return True


if __name__ == "__main__":
    _, guard, *arguments = sys.argv
    effects.LEASE_S = LEASE_S
    defaults = effects.Effects.take.__kwdefaults__
    assert defaults is not None
    defaults["lease_s"] = LEASE_S
    notify.RETRY_EVERY_S = RETRY_EVERY_S
    setattr(wiring, "make_channels", _channels)  # noqa: B010 # it is replaced, not used
    if guard == "forget":
        effects.Effects.leaving = _forgotten  # type: ignore[method-assign,assignment]  # that is the point
    sys.argv[1:] = arguments
    main()
