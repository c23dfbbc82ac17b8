"""Says which Python is needed, where the one at hand is too old."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 # this is the check itself
    sys.exit(
        f"Placet needs Python 3.11 or newer; this is {sys.version.split()[0]}. "
        "Name another one: make up PYTHON=python3.12"
    )
