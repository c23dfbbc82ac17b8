"""What the file of an e-mail channel may say, and what it may not."""

from pathlib import Path

import pytest

from services.channel_files import load_channel
from services.channel_files.email import EmailFile
from services.yaml_files.faults import FileInvalid

ENVIRON = {"SMTP_USERNAME": "placet", "SMTP_PASSWORD": "hidden-9"}
GOOD = """name: email
type: email
host: smtp.example.com
username: {env: SMTP_USERNAME}
password: {env: SMTP_PASSWORD}
from: Placet <placet@example.com>
"""


def loaded(text: str, tmp_path: Path) -> EmailFile:
    path = tmp_path / "email.yaml"
    path.write_text(text, "utf-8")
    found = load_channel(path, ENVIRON)
    assert isinstance(found, EmailFile)
    return found


def test_a_file_says_where_mail_goes_and_never_shows_the_password(tmp_path: Path) -> None:
    file = loaded(GOOD, tmp_path)
    assert (file.server.host, file.server.port, file.server.tls) == (
        "smtp.example.com",
        587,
        "starttls",
    )
    assert (file.server.username, file.server.password) == ("placet", "hidden-9")
    assert str(file.sender) == "Placet <placet@example.com>"
    assert "hidden-9" not in f"{file!r} {file.server!r}"


def test_the_file_that_is_shipped_can_be_loaded() -> None:
    shipped = Path(__file__).parents[2] / "deploy" / "channels" / "email.yaml"
    assert isinstance(load_channel(shipped, ENVIRON), EmailFile)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_server_on_this_machine_needs_no_encryption(host: str, tmp_path: Path) -> None:
    text = GOOD.replace("smtp.example.com", f'"{host}"') + "tls: none\n"
    assert loaded(text, tmp_path).server.port == 25


@pytest.mark.parametrize(
    ("changed", "to", "fault"),
    [
        ("host: smtp.example.com", "host: smtp.example.com\ntls: none", "on this machine only"),
        ("host: smtp.example.com", "host: smtp.example.com\ntls: maybe", "tls"),
        ("host: smtp.example.com", "host: smtp.example.com\nport: 70000", "port"),
        ("password: {env: SMTP_PASSWORD}", "password: plain", "password: is a secret"),
        ("password: {env: SMTP_PASSWORD}\n", "", "password: is missing"),
        ("{env: SMTP_PASSWORD}", "{env: NOT_SET}", "NOT_SET is not set"),
        ("Placet <placet@example.com>", "Placet", "from: must be one address"),
        (
            "Placet <placet@example.com>",
            "'a@b.example, c@d.example x'",
            "from: must be one address",
        ),
        ("type: email", "type: email\nsubject: x", "subject"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    changed: str, to: str, fault: str, tmp_path: Path
) -> None:
    assert changed in GOOD
    with pytest.raises(FileInvalid, match=r"email\.yaml:\d+: ") as refused:
        loaded(GOOD.replace(changed, to), tmp_path)
    assert fault in str(refused.value)
    assert "hidden-9" not in str(refused.value)
