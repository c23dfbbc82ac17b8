"""What somebody asks for: a new report, an edit, a decision or cancellation, a note."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from acme_expenses.records import LineItem, Person, Status

# Who acted when a caller of the API does not say for whom it acts.
SERVICE_ACCOUNT = "integration@example.com"

MAX_LINE_ITEMS = 50
MAX_NOTES = 500


@dataclass(frozen=True, slots=True)
class Draft:
    """A report to be created; `report_id` None means that the store numbers it."""

    report_id: str | None
    currency: str
    description: str
    submitter: Person
    approver: Person
    line_items: tuple[LineItem, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """An edit of a pending report; None leaves a part as it is."""

    description: str | None = None
    approver: Person | None = None
    line_items: tuple[LineItem, ...] | None = None
    total_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """A final state, who asked for it and why."""

    status: Status
    decided_by: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """A note to be added."""

    text: str
    author: str


CATEGORIES: tuple[str, ...] = (
    "Meals & Entertainment",
    "Travel",
    "Lodging",
    "Software",
    "Office Supplies",
    "Equipment",
    "Training",
    "Telecom",
    "Marketing",
    "Adjustment",
    "Other",
)


def _people(*rows: tuple[str, str, str]) -> Mapping[str, Person]:
    return MappingProxyType({row[0]: Person(*row) for row in rows})


APPROVERS = _people(
    ("john.smith@example.com", "John Smith", "user_67890"),
    ("maria.garcia@example.com", "Maria García", "user_67891"),
    ("wei.chen@example.com", "Wei Chen", "user_67892"),
    ("amara.okafor@example.com", "Amara Okafor", "user_67893"),
    ("lena.hoffmann@example.com", "Lena Hoffmann", "user_67894"),
)

SUBMITTERS = _people(
    ("jane.doe@example.com", "Jane Doe", "user_12345"),
    ("bjorn.lindqvist@example.com", "Björn Lindqvist", "user_12346"),
    ("yuki.tanaka@example.com", "田中 由紀", "user_12347"),
    ("siobhan.oneill@example.com", "Siobhán O'Neill", "user_12348"),
    ("priya.raman@example.com", "Priya Raman", "user_12349"),
    ("tomasz.wojcik@example.com", "Tomasz Wójcik", "user_12350"),
    ("omar.haddad@example.com", "Omar Haddad", "user_12351"),
    ("chloe.dubois@example.com", "Chloé Dubois", "user_12352"),
)


def person_for(email: str) -> Person:
    """The person with this address; a stranger is named after the address."""
    known = APPROVERS.get(email) or SUBMITTERS.get(email)
    if known is not None:
        return known
    name = email.partition("@")[0].replace(".", " ").replace("_", " ").title()
    return Person(email, name, email)
