"""Turns templates into pages, escaped always, with the headers that keep a page to itself."""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape
from starlette.responses import Response

from services.queue.pages.assets import Assets
from services.queue.pages.words import day, legible, machine_time, moment, time_of_day

_PAGE_POLICY = (
    "default-src 'none'; object-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _PAGE_POLICY,
    # Not `no-referrer`: with it browsers send `Origin: null` with our own forms, and over plain
    # http to another host Origin is all that the refusal of cross-site forms has. Other sites
    # learn as little from this one.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Nothing of the machine; of passkeys, those of this site alone.
    "Permissions-Policy": (
        "camera=(), display-capture=(), fullscreen=(), geolocation=(), microphone=(), midi=(), "
        "payment=(), usb=(), publickey-credentials-create=(self), publickey-credentials-get=(self)"
    ),
}
FRAMING = {"Content-Security-Policy": f"{_PAGE_POLICY}; frame-src 'self'"}
"""For the one page that shows another in a frame."""


IsPaused = Callable[[str, str], bool]
"""Tells of a workspace's source whether it is paused."""
Connects = Callable[[str], bool]
"""Tells of a workspace whether people connect accounts of theirs there."""


class Templates:
    """The templates of the pages."""

    def __init__(
        self, assets: Assets, is_paused: IsPaused, connects: Connects = lambda _: False
    ) -> None:
        self._environment = Environment(
            loader=PackageLoader("services.queue.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            auto_reload=False,
        )
        self._environment.globals["asset"] = assets.url
        self._environment.globals["is_paused"] = is_paused
        self._environment.globals["connects"] = connects
        self._environment.filters |= {
            "day": day,
            "moment": moment,
            "machine_time": machine_time,
            "time_of_day": time_of_day,
            "exactly": exactly,
        }

    def render(self, name: str, **context: Any) -> str:
        """Return a template's text."""
        return self._environment.get_template(f"{name}.html.jinja").render(context)


def page(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a page as a response, never to be kept or framed."""
    return Response(html, status, {**HEADERS, **(headers or {})}, "text/html; charset=utf-8")


@pass_eval_context
def exactly(_: EvalContext, value: str) -> Markup:
    """Return a text for a hidden field, escaped and otherwise as it is: it comes back."""
    return escape(value)


def _finalize(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return legible(value)
    return value
