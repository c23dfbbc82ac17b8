"""What the file of the channel says, and what is wrong with it."""

from pathlib import Path

import pytest

from services.channel_files import load_channel
from services.channel_files.slack import SlackFile
from services.yaml_files.faults import FileInvalid

EXAMPLE = Path(__file__).parents[2] / "deploy" / "channels" / "slack.yaml"
ENVIRON = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "abc"}


def test_the_example_is_a_file_that_can_be_used() -> None:
    file = load_channel(EXAMPLE, ENVIRON)
    assert isinstance(file, SlackFile)
    assert (file.name, file.token.reveal(), file.base_url) == (
        "slack",
        "xoxb-1",
        "https://slack.com/api",
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("{env: SLACK_BOT_TOKEN}", "xoxb-1-secret", "token: is a secret, which no file may hold"),
        ("{env: SLACK_BOT_TOKEN}", "{env: NOT_SET}", "variable NOT_SET is not set"),
        ("rate_share: 1.0", "rate_share: 2.0", "rate_share: "),
        ("rate_share: 1.0", "rate_shair: 1.0", "did you mean `rate_share`?"),
        ("signing_secret: {env: SLACK_SIGNING_SECRET}", "", "signing_secret: is missing"),
    ],
)
def test_what_is_wrong_is_named_without_the_secret(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    path = tmp_path / "slack.yaml"
    path.write_text(EXAMPLE.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(FileInvalid) as told:
        load_channel(path, ENVIRON)
    assert sentence in str(told.value)
    assert "xoxb-1" not in str(told.value)
