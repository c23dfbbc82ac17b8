"""What the environment says: read once, checked at once, every error named with its setting."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_WORKSPACE = "default"
SERVICES = (
    "decision",
    "queue",
    "publisher",
    "projector",
    "poller",
    "notifier",
    "webhooks",
    "people",
    "mcp",
)
HIGHEST_PORT = 65_535
SEALED_WITH = "PLACET_SECRET_KEY"
SEAL_BYTES = 32
_MAKE = "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"
MAKE_A_KEY = f'Make one with: python -c "{_MAKE}"'


class HalfConfigured(Exception):
    """Placet does not start like this; `errors` says which settings are wrong, and how."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    """The identity provider through which people sign in, and what we are there."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The process's settings; secrets are kept out of `repr`."""

    postgres_dsn: str
    kafka: str
    port: int
    host: str
    public_url: str
    bootstrap_key: str | None
    config: Path | None
    dev_login: bool
    embedded_broker: bool
    topic_partitions: int | None
    topic_replication: int
    reconcile_seconds: float
    demo_port: int = 8081
    webhook_allow: str = ""
    """Private networks and hosts that webhooks may call: see `services.outgoing.guard`."""
    api_url: str
    """Where the MCP service finds the HTTP API."""
    oidc: OidcSettings | None = None
    secret_key: bytes | None = None
    """What tokens are sealed with that people granted: 32 bytes."""

    def __repr__(self) -> str:
        """Name what can be shown to anybody."""
        return f"Settings(kafka={self.kafka!r}, port={self.port}, public_url={self.public_url!r})"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings in `PLACET_*`; raises `HalfConfigured` with every error at once."""
    reader = _Reader(environ)
    port = reader.number("PLACET_PORT", 8080, least=1, most=HIGHEST_PORT)
    public_url = reader.url("PLACET_PUBLIC_URL", f"http://127.0.0.1:{port}")
    settings = Settings(
        postgres_dsn=reader.dsn(
            "PLACET_POSTGRES_DSN", "postgresql://user@host:5432/placet, password in PGPASSFILE"
        ),
        kafka=reader.brokers("PLACET_KAFKA", "broker1:9092,broker2:9092"),
        port=port,
        host=environ.get("PLACET_HOST", "127.0.0.1"),
        public_url=public_url,
        api_url=reader.url("PLACET_API_URL", "") if environ.get("PLACET_API_URL") else public_url,
        webhook_allow=environ.get("PLACET_WEBHOOK_ALLOW", ""),
        bootstrap_key=reader.key("PLACET_BOOTSTRAP_KEY"),
        config=reader.file("PLACET_CONFIG"),
        dev_login=reader.flag("PLACET_DEV_LOGIN"),
        embedded_broker=reader.flag("PLACET_EMBEDDED_BROKER"),
        topic_partitions=reader.optional_number("PLACET_TOPIC_PARTITIONS", least=1, most=1000),
        topic_replication=reader.number("PLACET_TOPIC_REPLICATION", 1, least=1, most=9),
        demo_port=reader.number("PLACET_DEMO_PORT", 8081, least=1, most=HIGHEST_PORT),
        reconcile_seconds=float(reader.number("PLACET_RECONCILE_S", 60, least=1, most=86_400)),
        oidc=reader.oidc(),
        secret_key=reader.secret_key(),
    )
    anybody = reader.flag("PLACET_DEV_LOGIN_IN_PUBLIC")
    if settings.dev_login and not anybody and urlsplit(public_url).scheme == "https":
        reader.errors.append(
            "PLACET_DEV_LOGIN lets anybody be anybody, and PLACET_PUBLIC_URL is https: where "
            "others can open it too. Unset it, or set PLACET_DEV_LOGIN_IN_PUBLIC=1 if that is meant"
        )
    if reader.errors:
        raise HalfConfigured(reader.errors)
    return settings


def home(environ: Mapping[str, str]) -> Path:
    """Return the data directory of `placet up`: `PLACET_DATA_DIR`, or `data` here."""
    return Path(environ.get("PLACET_DATA_DIR") or "data").absolute()


_BROKER = re.compile(r"[^\s,]+:[0-9]{1,5}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@\s]*)(:(?P<port>[0-9]{1,5}))?")


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.errors: list[str] = []

    def required(self, name: str, example: str) -> str:
        value = self._environ.get(name, "")
        if not value:
            self.errors.append(f"{name} is not set (for example: {example})")
        return value

    def dsn(self, name: str, example: str) -> str:
        value = self.required(name, example)
        if value and not _is_dsn(value):
            # It may hold a password: the value is not shown.
            self.errors.append(f"{name} is no connection string (for example: {example})")
        return value

    def brokers(self, name: str, example: str) -> str:
        value = self.required(name, example)
        if value and not all(_BROKER.fullmatch(one.strip()) for one in value.split(",")):
            self.errors.append(
                f"{name} is {value!r}: it must be host:port (for example: {example})"
            )
        return value

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        return self.optional_number(name, least=least, most=most) or default

    def optional_number(self, name: str, *, least: int, most: int) -> int | None:
        value = self._environ.get(name, "")
        if not value:
            return None
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            self.errors.append(f"{name} is {value!r}: it must be a number from {least} to {most}")
            return None
        return int(value)

    def flag(self, name: str) -> bool:
        value = self._environ.get(name, "").lower()
        if value not in ("", "0", "1", "true", "false", "yes", "no"):
            self.errors.append(f"{name} is {value!r}: it must be 1 or 0")
        return value in ("1", "true", "yes")

    def url(self, name: str, default: str) -> str:
        value = self._environ.get(name) or default
        if not _is_url(value):
            self.errors.append(f"{name} is {value!r}: it must be an http or https URL")
        return value.rstrip("/")

    def oidc(self) -> OidcSettings | None:
        secret, path = "PLACET_OIDC_CLIENT_SECRET", "PLACET_OIDC_CLIENT_SECRET_FILE"
        names = ("PLACET_OIDC_ISSUER", "PLACET_OIDC_CLIENT_ID", secret, path)
        issuer, client_id, given, file = (self._environ.get(name, "").strip() for name in names)
        if not any((issuer, client_id, given, file)):
            return None
        for name, value in ((names[0], issuer), (names[1], client_id), (secret, given or file)):
            if not value:
                self.errors.append(f"{name} is not set, and the rest of the provider is: set it")
        if given and file:
            self.errors.append(f"{path} is set, and {secret} is too: leave one of them out")
        elif file:
            given = self._secret_in(path, Path(file))
        if issuer and not _is_issuer(issuer):
            self.errors.append(
                f"{names[0]} is {issuer!r}: it must be an https URL as the provider tells it "
                "(for example: https://login.example.com/realms/acme)"
            )
        return OidcSettings(issuer=issuer, client_id=client_id, client_secret=given)

    def _secret_in(self, name: str, path: Path) -> str:
        try:
            secret = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.errors.append(f"{name} is {str(path)!r}: it cannot be read: {error}")
            return ""
        if not secret:
            self.errors.append(f"{name} is {str(path)!r}: there is nothing in it")
        return secret

    def secret_key(self) -> bytes | None:
        value = self._environ.get(SEALED_WITH, "").strip()
        if not value:
            return None
        try:
            found = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            found = b""
        if len(found) != SEAL_BYTES:
            self.errors.append(f"{SEALED_WITH} is not {SEAL_BYTES} bytes in base64. {MAKE_A_KEY}")
            return None
        return found

    def key(self, name: str) -> str | None:
        value = self._environ.get(name) or None
        if value is not None and len(value) < 16:  # noqa: PLR2004 # the figure stands in the text
            self.errors.append(f"{name} is too short: use at least 16 characters")
        return value

    def file(self, name: str) -> Path | None:
        value = self._environ.get(name) or None
        if value is None:
            return None
        path = Path(value)
        if not path.is_file():
            self.errors.append(f"{name} is {value!r}: there is no such file")
        return path


def _is_dsn(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    hosts = [_HOST.fullmatch(one) for one in parts.netloc.rpartition("@")[2].split(",")]
    return parts.scheme in ("postgresql", "postgres") and all(
        host is not None and int(host["port"] or 0) <= HIGHEST_PORT for host in hosts
    )


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # such as an unclosed bracket of an IPv6 address
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_issuer(value: str) -> bool:
    """Tell whether an identity provider may be there: over plain http on this machine only."""
    if not _is_url(value):
        return False
    parts = urlsplit(value)
    if parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")
