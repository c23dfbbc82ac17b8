"""Preferences as the fields of a form, and back: what is no choice of its own stays unsaid."""

from collections.abc import Mapping, Sequence

from services.directory.fields import DAYS
from services.directory.preferences import A_DAY, Preferences, Quiet, Turn, clock
from services.directory.preferring import MOST_QUIET, NotPreferences, preferences_of
from services.yaml_files.durations import words

NEVER, NOW = "never", "now"
DELAYS = ("5m", "15m", "30m", "1h", "2h", "4h", "1d")
FIRST, DIGEST, ZONE, SILENT, OUTCOMES = "first", "digest", "time_zone", "silent", "outcomes"
ON = "yes"
EVERY_DAY = "mon-sun"
SPANS: Mapping[str, str] = {
    EVERY_DAY: "every day",
    "mon-fri": "Mon to Fri",
    "sat-sun": "Sat and Sun",
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}
NO_CHANNEL = "Leave at least one channel on, or choose to be sent nothing."
NOT_FIRST = "Choose one of the channels that are on."
BOTH_TIMES = "Give both times, or neither."
SAME_TIMES = "It ends when it begins. For a whole day, let both be 00:00."


class NotInForm(ValueError):
    """What was sent cannot be kept: a sentence for each field that is wrong."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(faults.values()))
        self.faults = faults


def channel_field(channel: str) -> str:
    """Return the field that says when a channel is used."""
    return f"channel-{channel}"


def quiet_fields(row: int) -> tuple[str, str, str]:
    """Return the fields of one stretch of quiet hours, counted from 1: from, until, days."""
    return f"quiet-{row}-from", f"quiet-{row}-until", f"quiet-{row}-days"


def fields_of(channels: Sequence[str]) -> tuple[str, ...]:
    """Return every field that the form may have."""
    rows = [name for row in range(1, MOST_QUIET + 1) for name in quiet_fields(row)]
    return (*map(channel_field, channels), FIRST, DIGEST, ZONE, SILENT, OUTCOMES, *rows)


def filled(told: Preferences, own_zone: str | None, channels: Sequence[str]) -> dict[str, str]:
    """Return what the fields hold for somebody who is told in this way."""
    order = told.order or tuple(Turn(channel) for channel in channels)
    delays = {turn.channel: words(turn.after_s) if turn.after_s else NOW for turn in order}
    fields = {channel_field(one): delays.get(one, NEVER) for one in channels}
    fields[FIRST] = next((turn.channel for turn in order if turn.channel in channels), "")
    fields[DIGEST] = ", ".join(clock(minute) for minute in told.digest or ())
    fields[ZONE] = own_zone or ""
    fields[SILENT] = ON if told.silent else ""
    fields[OUTCOMES] = ON if told.outcomes is not False else ""
    for row, quiet in enumerate(told.quiet_hours or (), start=1):
        begins, until, days = quiet_fields(row)
        fields[begins], fields[until] = clock(quiet.begins), clock(quiet.ends % A_DAY)
        fields[days] = span(quiet)
    return fields


def chosen(fields: Mapping[str, str], channels: Sequence[str], general: Preferences) -> Preferences:
    """Return what was chosen; None where it is what `general` says; raises `NotInForm`."""
    faults: dict[str, str] = {}
    order = _order(fields, channels, faults)
    stretches, places = _quiet(fields, faults)
    given = {
        "order": order or None,
        "quiet_hours": stretches,
        "digest": [one.strip() for one in fields.get(DIGEST, "").split(",") if one.strip()],
        "silent": fields.get(SILENT) == ON,
        "outcomes": fields.get(OUTCOMES) == ON,
        "time_zone": fields.get(ZONE, "").strip() or None,
    }
    found = Preferences()
    try:
        found = preferences_of(given, channels)
    except NotPreferences as error:
        for path, sentence in error.faults:
            faults.setdefault(
                _field_at(path, order, places), f"{sentence[0].upper()}{sentence[1:]}."
            )
    if faults:
        raise NotInForm(faults)
    usual = filled(general, None, channels)
    everywhere = [turn.text for turn in found.order or ()] == list(channels)
    return Preferences(
        order=_unless(found.order, general.order, all_at_once=everywhere),
        quiet_hours=None if found.quiet_hours == (general.quiet_hours or ()) else found.quiet_hours,
        digest=None if found.digest == (general.digest or ()) else found.digest,
        silent=None if found.silent == (usual[SILENT] == ON) else found.silent,
        outcomes=None if found.outcomes == (usual[OUTCOMES] == ON) else found.outcomes,
        time_zone=found.time_zone,
    )


def span(quiet: Quiet) -> str:
    """Return the days of a stretch as the form names them: `mon-fri`, `mon,wed`."""
    first, last = quiet.days[0], quiet.days[-1]
    if len(quiet.days) == 1:
        return DAYS[first]
    if last - first + 1 == len(quiet.days):
        return f"{DAYS[first]}-{DAYS[last]}"
    return ",".join(DAYS[day] for day in quiet.days)


def _unless(
    order: tuple[Turn, ...] | None, general: tuple[Turn, ...] | None, *, all_at_once: bool
) -> tuple[Turn, ...] | None:
    usual = order == general if general is not None else all_at_once
    return None if usual else order


def _order(fields: Mapping[str, str], channels: Sequence[str], faults: dict[str, str]) -> list[str]:
    """Return the channels that are on, the first one first, then as they stand."""
    first = fields.get(FIRST, "")
    delays = {one: fields.get(channel_field(one), NOW) for one in channels}
    on = [one for one in channels if delays[one] != NEVER]
    if not on and channels and fields.get(SILENT) != ON:
        faults[channel_field(channels[0])] = NO_CHANNEL
    if first and on and first not in on:
        faults[FIRST] = NOT_FIRST
    on.sort(key=lambda one: one != first)
    return [one if delays[one] == NOW else f"{one} after {delays[one]}" for one in on]


def _quiet(
    fields: Mapping[str, str], faults: dict[str, str]
) -> tuple[list[dict[str, str]], list[int]]:
    """Return the stretches that are filled in, and the row of each."""
    stretches, places = [], []
    for row in range(1, MOST_QUIET + 1):
        begins_field, until_field, days_field = quiet_fields(row)
        begins, until = (fields.get(name, "").strip() for name in (begins_field, until_field))
        if not begins and not until:
            continue
        if not begins or not until:
            faults[until_field if begins else begins_field] = BOTH_TIMES
            continue
        if begins == until != "00:00":
            faults[until_field] = SAME_TIMES
            continue
        stretches.append(
            {
                "from": begins,
                # What lasts until midnight ends with the day.
                "until": "24:00" if until == "00:00" else until,
                "days": fields.get(days_field) or EVERY_DAY,
            }
        )
        places.append(row)
    return stretches, places


def _field_at(path: Sequence[str | int], order: Sequence[str], rows: Sequence[int]) -> str:
    """Return the field that a fault is about."""
    match path:
        case ("order", int(place), *_):
            return channel_field(order[place].split()[0])
        case ("quiet_hours", int(place), str(name), *_):
            return dict(zip(("from", "until", "days"), quiet_fields(rows[place]), strict=True))[
                name
            ]
        case ("quiet_hours", *_):
            return quiet_fields(1)[1]
        case (str(name), *_):
            return name
        case _:
            return DIGEST
