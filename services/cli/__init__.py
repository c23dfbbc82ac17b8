"""The command line `placet`."""

import sys


def main() -> None:
    """Run the command line."""
    # Here, so that nothing is imported before it is known what is wanted.
    from services.cli.commands import app  # noqa: PLC0415 # see above

    app(prog_name="placet", args=sys.argv[1:])
