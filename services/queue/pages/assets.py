"""The style sheet, the scripts and the icon: from the package, under addresses that hold a hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

_TYPES: Mapping[str, str] = {
    "placet.css": "text/css; charset=utf-8",
    "placet.js": "text/javascript; charset=utf-8",
    "passkey.js": "text/javascript; charset=utf-8",
    "answering.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served; `etag` is its hash."""

    content: bytes
    media_type: str
    etag: str


class Assets:
    """All files of `static/`, read once."""

    def __init__(self) -> None:
        folder = files("services.queue.pages") / "static"
        self._assets: dict[str, Asset] = {}
        for name, media_type in _TYPES.items():
            content = (folder / name).read_bytes()
            etag = hashlib.sha256(content).hexdigest()[:16]
            self._assets[name] = Asset(content, media_type, etag)

    def url(self, name: str) -> str:
        """Return a file's address, another one for each content."""
        return f"/assets/{self._assets[name].etag}/{name}"

    async def serve(self, request: Request) -> Response:
        """Answer with a file, to be kept for ever if the address holds its hash.

        Another hash is that of another release, whose page is being rolled out or back: it gets
        what there is, and asks again.
        """
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        headers = {
            "Cache-Control": _FOR_EVER if request.path_params["etag"] == asset.etag else _ASK_AGAIN,
            "ETag": f'"{asset.etag}"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)
