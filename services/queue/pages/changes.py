"""What changed in the content since a person saw it; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from projections.approval_view import ApprovalView
from services.queue.pages.payload import NOTHING, Content, read_payload
from services.queue.pages.reading import Entry

_CONTENT = ("approval.requested", "approval.revised")


@dataclass(frozen=True, slots=True)
class Changed:
    """Against which revision, and what each fact was then; `tables` names those that differ."""

    since: str
    was: Mapping[str, str]
    gone: tuple[tuple[str, str], ...]
    """Label and value of each fact that is no longer there."""
    tables: frozenset[str]

    @property
    def anything(self) -> bool:
        """Tell whether a reader would see a difference."""
        return bool(self.was or self.gone or self.tables)


def changed(view: ApprovalView, history: Sequence[Entry], seen: str | None) -> Changed | None:
    """Return what differs from the revision that was seen, or else from the one before this one.

    None for an approval that has not changed.
    """
    contents = [entry for entry in history if entry.type in _CONTENT]
    revisions = [entry.data["about"]["revision"] for entry in contents]
    if seen in revisions and seen != view.revision:
        before = contents[revisions.index(seen)]
    elif len(contents) > 1 and revisions[-1] == view.revision:
        before = contents[-2]
    else:
        return None
    return _difference(
        before.data["about"]["revision"],
        read_payload(before.data["payload"]),
        read_payload(view.payload),
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """One thing as it was asked for, approved, and done; `differs` where these are not the same."""

    label: str
    values: tuple[str, ...]
    differs: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Payloads side by side: `names` says which; `tables` are those that differ."""

    names: tuple[str, ...]
    rows: tuple[Compared, ...]
    tables: tuple[str, ...]


def side_by_side(contents: Mapping[str, Content]) -> Comparison:
    """Return contents beside each other, those things first that differ."""
    found = list(contents.values())
    labels = {fact.key: fact.label for content in found for fact in content.facts}
    values = [{fact.key: fact.value for fact in content.facts} for content in found]
    rows = []
    for key, label in labels.items():
        each = tuple(one.get(key, NOTHING) for one in values)
        rows.append(Compared(label, each, differs=len(set(each)) > 1))
    tables = {table.key: table.caption for content in found for table in content.tables}
    entries = [{table.key: table.rows for table in content.tables} for content in found]
    return Comparison(
        names=tuple(contents),
        rows=tuple(sorted(rows, key=lambda row: not row.differs)),
        tables=tuple(
            caption for key, caption in tables.items() if len({one.get(key) for one in entries}) > 1
        ),
    )


def _difference(since: str, old: Content, new: Content) -> Changed:
    before = {fact.key: fact for fact in old.facts}
    after = {fact.key: fact for fact in new.facts}
    rows_before = {table.key: table.rows for table in old.tables}
    rows_after = {table.key: table.rows for table in new.tables}
    return Changed(
        since=since,
        was={
            key: before[key].value if key in before else NOTHING
            for key, fact in after.items()
            if key not in before or before[key].value != fact.value
        },
        gone=tuple((fact.label, fact.value) for key, fact in before.items() if key not in after),
        tables=frozenset(key for key, rows in rows_after.items() if rows_before.get(key) != rows),
    )
