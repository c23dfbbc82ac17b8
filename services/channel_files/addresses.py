"""URLs that are secrets: they stand in the environment, and no error repeats them."""

from urllib.parse import urlsplit

from services.sources.credentials import Secret
from services.sources.fields import fault


def https_only(url: Secret | None) -> Secret | None:
    """Return a URL if it begins with https and names a host."""
    if url is not None and _scheme(url) != "https":
        raise fault("must be a URL that begins with https://")
    return url


def http_or_https(url: Secret) -> Secret:
    """Return a URL if it begins with https or http and names a host."""
    if _scheme(url) not in ("https", "http"):
        raise fault("must be a URL such as https://receiver.example.com/cards")
    return url


def _scheme(url: Secret) -> str | None:
    try:
        parts = urlsplit(url.reveal())
        port = parts.port
    except ValueError:
        return None
    return parts.scheme if parts.hostname and port != 0 and "@" not in parts.netloc else None
