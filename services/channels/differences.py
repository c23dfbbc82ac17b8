"""What changed in the content since somebody saw it, field by field; pure and bounded."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from events.approval import Json
from services.channels.facts import currency_of, value_of, words
from services.channels.plain import ELLIPSIS, line
from services.channels.sensitive import LEFT_OUT, without

MOST_DIFFERENCES = 20
MOST_TEXT = 300
_LEAD = 40
"""How much of what two long texts have in common is shown before they part."""
_MOST_ENTRIES = 10

_Fields = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a field was before the content changed, and what it is now; None: not there."""

    label: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class _Side:
    """The fields of one revision: as they are, and as they may be shown."""

    whole: _Fields
    shown: _Fields


def differences(
    before: tuple[str, Json], after: tuple[str, Json], sensitive: Sequence[str] = ()
) -> tuple[Difference, ...]:
    """Return what differs between two contents, each a title and a payload.

    Of what is `sensitive` it says only that it changed.
    """
    (old_title, old), (new_title, new) = before, after
    found = [
        *_compared(_side({"title": old_title}), _side({"title": new_title})),
        *_compared(_side(old, sensitive), _side(new, sensitive)),
    ]
    left_out = len(found) - MOST_DIFFERENCES
    if left_out <= 0:
        return tuple(found)
    more = Difference(label=f"{left_out} more", before=None, after="changed: see them in Placet")
    return (*found[:MOST_DIFFERENCES], more)


def _side(payload: Json, sensitive: Sequence[str] = ()) -> _Side:
    shown = without(payload, sensitive)
    if not isinstance(payload, dict):
        return _Side({"content": payload}, {"content": shown})
    return _Side(payload, shown if isinstance(shown, dict) else dict.fromkeys(payload, LEFT_OUT))


def _compared(old: _Side, new: _Side, within: str = "") -> Iterator[Difference]:
    for key in dict.fromkeys((*new.whole, *old.whole)):
        was, now = old.whole.get(key), new.whole.get(key)
        if _same(was, now):
            continue
        label = f"{within}: {words(key).lower()}" if within else words(key)
        shown_was, shown_now = old.shown.get(key), new.shown.get(key)
        if _same(shown_was, shown_now):
            yield Difference(label=label, before="left out here", after="changed: see it in Placet")
        elif (
            not within
            and isinstance(was, dict)
            and isinstance(now, dict)
            and isinstance(shown_was, dict)
            and isinstance(shown_now, dict)
        ):
            yield from _compared(_Side(was, shown_was), _Side(now, shown_now), label)
        else:
            currencies = currency_of(old.shown), currency_of(new.shown)
            before, after = _texts(key, (shown_was, shown_now), currencies)
            if before or after:
                yield Difference(label=label, before=before or None, after=after or None)


def _same(one: Json, other: Json) -> bool:
    """Tell whether two values are the same as JSON, in which true is not 1."""
    return one == other and _canonical(one) == _canonical(other)


def _canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True)


def _texts(
    key: str, values: tuple[Json, Json], currencies: tuple[str | None, str | None]
) -> tuple[str, str]:
    was, now = values
    if isinstance(was, str) and isinstance(now, str):
        before, after = _where_they_part(was, now)
    elif isinstance(was, list) and isinstance(now, list) and was and now:
        return (
            _entries(key, was, now, "gone", currencies[0]),
            _entries(key, now, was, "new", currencies[1]),
        )
    else:
        before, after = (
            value_of(key, value, currency)
            for value, currency in zip(values, currencies, strict=True)
        )
    before, after = line(before, MOST_TEXT), line(after, MOST_TEXT)
    if before and before == after:
        after = f"{after} (it differs in what is not shown here)"
    return before, after


def _where_they_part(was: str, now: str) -> tuple[str, str]:
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(was, now, strict=False))
    start = sum(1 for _ in alike) - _LEAD
    if start <= 0 or max(len(was), len(now)) <= MOST_TEXT:
        return was, now
    return ELLIPSIS + was[start:], ELLIPSIS + now[start:]


def _entries(
    key: str, these: Sequence[Json], others: Sequence[Json], word: str, currency: str | None
) -> str:
    """Return how many entries there are, and those that the other list does not have."""
    left = Counter(map(_canonical, others))
    own = []
    for entry in these:
        name = _canonical(entry)
        left[name] -= 1
        if left[name] < 0:
            own.append(entry)
    count = f"{len(these)} {'entry' if len(these) == 1 else 'entries'}"
    if not own:
        return count if len(these) != len(others) else f"{count}, in another order"
    told = " | ".join(value_of(key, entry, currency) for entry in own[:_MOST_ENTRIES])
    return line(f"{count}, of which {word}: {told}", MOST_TEXT)
