"""How times, states and texts of others read."""

from datetime import UTC, datetime, timedelta

import pytest

from services.queue.pages import words

NOW = datetime(2026, 11, 21, 14, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86_399, "23 h"),
        (86_400, "1 d"),
        (40 * 86_400, "40 d"),
    ],
)
def test_a_length_of_time_is_said_in_its_largest_whole_unit(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(days=30), "30 d left"),
        (timedelta(hours=4, seconds=-1), "3 h left"),
        (timedelta(seconds=59), "under a minute left"),
        (timedelta(0), "out of time"),
        (timedelta(days=-1), "out of time"),
    ],
)
def test_the_time_left_is_never_rounded_up(left: timedelta, said: str) -> None:
    assert words.time_left(NOW + left, NOW) == said


def test_a_clock_that_is_ahead_makes_no_negative_age() -> None:
    assert words.seconds_since(NOW + timedelta(seconds=2), NOW) == 0


def test_a_moment_is_said_in_utc_whatever_zone_it_came_in() -> None:
    there = datetime.fromisoformat("2026-11-21T23:05:07+09:00")
    assert words.moment(there) == "21 Nov 2026, 14:05 UTC"
    assert words.machine_time(there) == "2026-11-21T14:05:07Z"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("acme-expenses", "Acme Expenses"),
        ("sap_s4", "Sap S4"),
        ("Acme Expenses", "Acme Expenses"),
        ("東京", "東京"),
    ],
)
def test_a_source_is_called_by_words(name: str, said: str) -> None:
    assert words.source_label(name) == said


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://example.com/a?b=c#d", True),
        ("http://127.0.0.1:8081/reports/1", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.com/", False),
        ("/inbox", False),
        ("https://", False),
        ("https://exa\nmple.com", False),
        ("https://exam ple.com", False),
        ("https://[::1", False),
        ("https://example.com/\u202egpj", False),
        ("https://example.com/" + "a" * 2000, False),
        (None, False),
    ],
)
def test_only_web_addresses_are_linked_to(url: str | None, *, allowed: bool) -> None:
    assert words.safe_url(url) == (url if allowed else None)


def test_where_a_link_leads_is_told_without_a_user_name_that_poses_as_a_host() -> None:
    assert words.host_of("https://bank.example@evil.example:8443/x") == "evil.example:8443"


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\x00", "\x1b", "\x85", "\ud800"])
def test_what_hides_or_reorders_text_is_made_visible(mark: str) -> None:
    assert words.legible(f"10{mark}001") == "10\N{REPLACEMENT CHARACTER}001"


def test_other_scripts_and_lines_stay_as_they_are() -> None:
    text = "שלום 東京\n\tپژ é 😀"
    assert words.legible(text) == text
