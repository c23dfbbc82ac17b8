"""How people are told, as the files say it: for everybody, for one person, for a policy."""

from pathlib import Path

import pytest

from services.config import Config, read_config
from services.directory.preferences import NOTHING_SAID, Preferences, Quiet, Turn
from services.settings import HalfConfigured

FILE = """channels: [inbox, outbox]
notify:
  quiet_hours: {from: 22:00, until: 7:00}
  outcomes_of_sources: true
people:
  - email: Ann@example.com
    time_zone: Europe/Berlin
    notify:
      order: [outbox after 15m]
      digest: [09:00, 16:30]
  - email: ben@example.com
policies: [travel.yaml]
"""
POLICY = """name: travel
version: 1
fallback: [ben@example.com]
steps:
  - name: managers
    approvers: [ann@example.com]
"""
NIGHT = Quiet(begins=22 * 60, ends=7 * 60)


def read(folder: Path, text: str = FILE, policy: str = "") -> Config:
    (folder / "placet.yaml").write_text(text, "utf-8")
    (folder / "travel.yaml").write_text(POLICY + policy, "utf-8")
    return read_config(folder / "placet.yaml", {})


def errors(folder: Path, text: str = FILE, policy: str = "") -> list[str]:
    with pytest.raises(HalfConfigured) as refused:
        read(folder, text, policy)
    return [line.removeprefix(f"{folder}/") for line in refused.value.errors]


def test_the_file_says_how_everybody_is_told_and_one_person_otherwise(tmp_path: Path) -> None:
    config = read(tmp_path)
    assert config.notify.preferences == Preferences(quiet_hours=(NIGHT,))
    assert config.notify.outcomes_of_sources is True
    general = config.notify.within("default").preferences
    ann = config.directory.told("ann@example.com", general)
    assert ann == Preferences(
        order=(Turn("outbox", 900.0),),
        quiet_hours=(NIGHT,),
        digest=(540, 990),
        time_zone="Europe/Berlin",
    )
    ben = config.directory.told("ben@example.com", general)
    assert ben == Preferences(quiet_hours=(NIGHT,), time_zone="UTC")
    assert config.notify.within("elsewhere").preferences is NOTHING_SAID


def test_a_policy_says_silent_or_an_order_of_its_own(tmp_path: Path) -> None:
    assert read(tmp_path).policies.notify_of("travel") is NOTHING_SAID
    silent = read(tmp_path, policy="notify: silent\n").policies
    assert silent.notify_of("travel") == Preferences(silent=True)
    assert silent.notify_of("gone") is NOTHING_SAID
    ordered = read(tmp_path, policy="notify: [outbox after 5m]\n").policies
    assert ordered.notify_of("travel") == Preferences(order=(Turn("outbox", 300.0),))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[outbox after 15m]", "[slack]", "placet.yaml:9: people: notify.order[0]: there is no"),
        ("[09:00, 16:30]", "[9am]", "placet.yaml:10: people: notify.digest[0]: must be a time"),
        ("[09:00, 16:30]", "often", "placet.yaml:10: people: notify.digest"),
        ("7:00}", "22:00}", "placet.yaml:3: notify.quiet_hours[0].until: must be another time"),
        ("outcomes_of_sources: true", "outcomes_of_sources: 1", "placet.yaml:4: notify.outcomes"),
        ("outcomes_of_sources: true", "loud: true", "placet.yaml:4: notify.loud: is not known"),
    ],
)
def test_each_fault_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    (error,) = errors(tmp_path, FILE.replace(old, new))
    assert error.startswith(said), error


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        ("notify: loud", "travel.yaml:7: notify: must be a list"),
        ("notify: [pager]", "travel.yaml:7: notify[0]: there is no channel pager"),
        ("notify: [outbox after now]", "travel.yaml:7: notify[0]: 'now' is no length of time"),
    ],
)
def test_each_fault_of_a_policy_is_told_with_its_line(
    tmp_path: Path, notify: str, said: str
) -> None:
    (error,) = errors(tmp_path, policy=f"{notify}\n")
    assert error.startswith(said), error
