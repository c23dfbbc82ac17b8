"""What the environment says is read at once, and every error in it is told at once."""

from pathlib import Path

import pytest

from services.settings import HalfConfigured, home, read_settings

DSN = "postgresql://placet:s3cret@db.example.com:5432/placet"
ENOUGH = {"PLACET_POSTGRES_DSN": DSN, "PLACET_KAFKA": "k1:9092,k2:9092"}
WRONG = {
    "PLACET_POSTGRES_DSN": "mysql://u:s3cret@db/placet",
    "PLACET_KAFKA": "broker without a port",
    "PLACET_PORT": "80800",
    "PLACET_DEMO_PORT": "-1",
    "PLACET_PUBLIC_URL": "placet.example.com",
    "PLACET_BOOTSTRAP_KEY": "s3cret",
    "PLACET_CONFIG": "/nowhere/placet.yaml",
    "PLACET_DEV_LOGIN": "perhaps",
    "PLACET_EMBEDDED_BROKER": "2",
    "PLACET_TOPIC_PARTITIONS": "0",
    "PLACET_TOPIC_REPLICATION": "ten",
    "PLACET_RECONCILE_S": "1.5",
    "PLACET_API_URL": "front",
}


def errors(**environ: str) -> list[str]:
    """What is said of these settings beside good ones."""
    with pytest.raises(HalfConfigured) as refused:
        read_settings({**ENOUGH, **environ})
    return refused.value.errors


def test_two_settings_are_enough() -> None:
    settings = read_settings(ENOUGH)
    assert (settings.host, settings.port, settings.demo_port) == ("127.0.0.1", 8080, 8081)
    assert settings.public_url == settings.api_url == "http://127.0.0.1:8080"
    assert settings.webhook_allow == ""
    assert settings.bootstrap_key is settings.config is settings.topic_partitions is None
    assert (settings.dev_login, settings.embedded_broker) == (False, False)
    assert (settings.topic_replication, settings.reconcile_seconds) == (1, 60.0)


def test_every_setting_is_taken(tmp_path: Path) -> None:
    config = tmp_path / "placet.yaml"
    config.write_text("")
    settings = read_settings(
        {
            **ENOUGH,
            "PLACET_PORT": "9000",
            "PLACET_HOST": "0.0.0.0",  # noqa: S104 # read, not listened on
            "PLACET_DEMO_PORT": "9001",
            "PLACET_PUBLIC_URL": "https://placet.example.com/",
            "PLACET_BOOTSTRAP_KEY": "k" * 16,
            "PLACET_CONFIG": str(config),
            "PLACET_DEV_LOGIN": "Yes",
            "PLACET_DEV_LOGIN_IN_PUBLIC": "1",
            "PLACET_EMBEDDED_BROKER": "true",
            "PLACET_TOPIC_PARTITIONS": "6",
            "PLACET_TOPIC_REPLICATION": "3",
            "PLACET_RECONCILE_S": "5",
            "PLACET_API_URL": "http://front:8080",
            "PLACET_WEBHOOK_ALLOW": "10.0.0.0/8",
        }
    )
    assert (settings.host, settings.port, settings.demo_port) == ("0.0.0.0", 9000, 9001)  # noqa: S104 # same
    assert settings.public_url == "https://placet.example.com"  # links add their own slash
    assert (settings.bootstrap_key, settings.config) == ("k" * 16, config)
    assert (settings.dev_login, settings.embedded_broker) == (True, True)
    assert (settings.topic_partitions, settings.topic_replication) == (6, 3)
    assert settings.reconcile_seconds == 5.0
    assert (settings.api_url, settings.webhook_allow) == ("http://front:8080", "10.0.0.0/8")


def test_every_error_is_told_at_once_and_names_its_setting() -> None:
    found = errors(**WRONG)
    assert sorted(line.split(" ")[0] for line in found) == sorted(WRONG)


@pytest.mark.parametrize("name", sorted(WRONG))
def test_a_wrong_setting_alone_is_told_alone(name: str) -> None:
    [told] = errors(**{name: WRONG[name]})
    assert told.startswith(f"{name} ")


def test_what_is_missing_is_told_with_an_example() -> None:
    with pytest.raises(HalfConfigured) as refused:
        read_settings({"PLACET_KAFKA": ""})
    assert [line.split(" (for example: ")[0] for line in refused.value.errors] == [
        "PLACET_POSTGRES_DSN is not set",
        "PLACET_KAFKA is not set",
    ]


def test_no_error_shows_a_secret() -> None:
    assert "s3cret" not in "\n".join(errors(**WRONG))
    assert "s3cret" not in repr(read_settings(ENOUGH))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgres://db/placet",
        "postgresql://u:p%40ss@[::1]:5432/placet?sslmode=require",
        "postgresql://h1:5432,h2:5433/placet",
        "postgresql:///placet?host=/var/run/postgresql",
    ],
)
def test_every_usual_connection_string_is_taken(dsn: str) -> None:
    assert read_settings({**ENOUGH, "PLACET_POSTGRES_DSN": dsn}).postgres_dsn == dsn


@pytest.mark.parametrize(
    "dsn",
    [
        "db.example.com/placet",
        "postgresql://h:port/p",
        "postgresql://[::1/p",
        "postgres://h:70000/p",
    ],
)
def test_a_connection_string_that_is_none_is_told(dsn: str) -> None:
    [told] = errors(PLACET_POSTGRES_DSN=dsn)
    assert told.startswith("PLACET_POSTGRES_DSN is no connection string")
    assert dsn not in told


def test_the_data_directory_is_beside_the_person_unless_it_is_named(tmp_path: Path) -> None:
    assert home({}) == Path.cwd() / "data"
    assert home({"PLACET_DATA_DIR": str(tmp_path)}) == tmp_path
