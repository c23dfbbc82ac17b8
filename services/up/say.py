"""How `placet up` speaks to the person at its terminal."""

from typing import Protocol


class Say(Protocol):
    """Prints a line of our markup."""

    def __call__(self, line: str, *told: object) -> None:
        """Print it; what others wrote is put in its `{}`, and changes neither style nor terminal.

        Without `told` the line stands as it is.
        """
        ...
