"""Who administers a workspace: by a role in its directory."""

from collections.abc import Sequence

from services.directory import Directory

ADMIN = "placet admin"
"""The role, as files, CSV and SCIM give it."""
MOST_NAMED = 3


def administers(directory: Directory, email: str) -> bool:
    """Tell whether somebody active has the role."""
    return directory.has_one_of(email, (ADMIN,))


def whom_to_ask(directory: Directory) -> str:
    """Return a sentence for somebody who has not: who can give it."""
    known: Sequence[str] = [one.email for one in directory.with_role(ADMIN)[:MOST_NAMED]]
    if known:
        return f"Ask {' or '.join(known)}."
    return f"Nobody here has it yet: ask whoever runs Placet to give you the role `{ADMIN}`."
