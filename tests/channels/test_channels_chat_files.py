"""The files of Discord, Teams, programs and Apprise: read, and every fault told without secrets."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.approval_types import ApprovalTypes
from services.bootstrap.channels import make_channels, make_surfaces
from services.channel_files import apprise as apprise_file
from services.channel_files import load_channel
from services.channel_files.apprise import AppriseFile
from services.channel_files.discord import DiscordFile
from services.channel_files.teams import TeamsFile
from services.channel_files.webhook import WebhookFile
from services.channels import Reminding
from services.directory import FixedDirectories
from services.outgoing.signing import new_secret
from services.settings import HalfConfigured
from services.yaml_files.faults import FileInvalid

EXAMPLES = Path("deploy/channels")
ENVIRON = {
    "DISCORD_APPLICATION_ID": "123456789012345678",
    "DISCORD_PUBLIC_KEY": "ab" * 32,
    "DISCORD_BOT_TOKEN": "s3cret-token",
    "TEAMS_WORKFLOW_URL": "https://flow.example.com/s3cret",
    "CARDS_URL": "https://receiver.example.com/s3cret",
    "CARDS_SECRET": new_secret(),
    "APPRISE_URL": "ntfys://ntfy.example.com/{address}",
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("discord", DiscordFile),
        ("teams", TeamsFile),
        ("webhook", WebhookFile),
        ("apprise", AppriseFile),
    ],
)
def test_the_examples_are_read(name: str, kind: type) -> None:
    found = load_channel(EXAMPLES / f"{name}.yaml", ENVIRON)
    assert type(found) is kind
    assert found.type == name
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("name", "variable", "value", "sentence"),
    [
        ("discord", "DISCORD_PUBLIC_KEY", "abc", "64 hexadecimal digits"),
        ("discord", "DISCORD_APPLICATION_ID", "placet", "digits that Discord shows"),
        ("discord", "DISCORD_BOT_TOKEN", "", "DISCORD_BOT_TOKEN is not set"),
        ("teams", "TEAMS_WORKFLOW_URL", "http://flow.example.com/s3cret", "begins with https"),
        ("teams", "TEAMS_WORKFLOW_URL", "https://u:s3cret@flow.example.com", "begins with https"),
        ("webhook", "CARDS_URL", "s3cret", "must be a URL"),
        ("webhook", "CARDS_SECRET", "s3cret", "whsec_"),
        ("apprise", "APPRISE_URL", "", "APPRISE_URL is not set"),
    ],
)
def test_what_is_wrong_is_told_and_no_secret_repeated(
    name: str, variable: str, value: str, sentence: str
) -> None:
    with pytest.raises(FileInvalid, match=sentence) as raised:
        load_channel(EXAMPLES / f"{name}.yaml", {**ENVIRON, variable: value})
    assert "s3cret" not in str(raised.value)


def test_a_secret_in_the_file_itself_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "teams.yaml"
    file.write_text("name: teams\ntype: teams\nurl: https://flow.example.com/s3cret\n")
    with pytest.raises(FileInvalid, match="no file may hold") as raised:
        load_channel(file, {})
    assert "s3cret" not in str(raised.value)


def test_teams_may_know_people_only_by_urls_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "teams.yaml"
    file.write_text("name: teams\ntype: teams\n")
    found = load_channel(file, {})
    assert isinstance(found, TeamsFile)
    assert found.url is None


def test_without_its_package_apprise_says_which_extra_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apprise_file, "find_spec", lambda _name: None)
    with pytest.raises(FileInvalid, match=r"pip install 'placet-server\[apprise\]'"):
        load_channel(EXAMPLES / "apprise.yaml", ENVIRON)


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
async def test_each_file_becomes_a_channel_and_discord_its_route() -> None:
    names = ("discord", "teams", "webhook", "apprise")
    files = [load_channel(EXAMPLES / f"{name}.yaml", ENVIRON) for name in names]
    parts: Any = SimpleNamespace(
        config=SimpleNamespace(channels=files, types=ApprovalTypes()),
        settings=SimpleNamespace(webhook_allow=""),
        directories=FixedDirectories(),
        app_db=None,
        closers=[],
    )
    channels = make_channels(parts)
    assert [one.name for one in channels] == ["discord", "teams", "pager", "push"]
    assert all(isinstance(one, Reminding) for one in channels)
    answering: Any = None
    changing: Any = None
    (router,) = make_surfaces(parts, answering, changing)
    assert [route.path for route in router.routes] == ["/channels/discord/interactions"]
    for close in parts.closers:
        await close()


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
def test_a_url_that_apprise_cannot_use_is_told_at_the_start_without_the_url() -> None:
    file = load_channel(EXAMPLES / "apprise.yaml", {"APPRISE_URL": "nonsense://s3cret"})
    parts: Any = SimpleNamespace(config=SimpleNamespace(channels=[file], types=ApprovalTypes()))
    with pytest.raises(HalfConfigured, match="channel push") as raised:
        make_channels(parts)
    assert "s3cret" not in str(raised.value)
