"""Runs `webhooks` with a short lease; with `tell-first` it writes down what was told before it is.

So a test need not wait for a lease of production, and can see that it would notice a service that
forgets what it had in its hands.
"""

import sys
from importlib import import_module

from services.cli import main
from services.webhooks import lanes
from services.webhooks.service import Webhooks

LEASE_S = 8.0
TIMEOUT_S = 2.0


def _tell_first() -> None:
    statements = import_module("events.store.named_sql").statements("services.webhooks")
    keep = statements["keep"]
    kept = keep.replace("ELSE 'waiting' END", "ELSE 'delivered' END")
    told = kept.replace("message_id, state", "message_id, 'waiting' AS state")
    assert keep != kept != told
    statements["keep"] = told


if __name__ == "__main__":
    _, guard, *arguments = sys.argv
    defaults = Webhooks.__init__.__kwdefaults__
    assert defaults is not None
    defaults |= {"lease_s": LEASE_S, "timeout_s": TIMEOUT_S}
    lanes.PLACES = 4  # so that more waits in its hands than is under way
    if guard == "tell-first":
        _tell_first()
    sys.argv[1:] = arguments
    main()
