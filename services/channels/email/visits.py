"""Tells people who open links from programs that do, by what each sends and when; pure.

Nothing here protects by itself: opening decides nothing. It tells when an answer that comes from a
link alone, without anybody signed in, has to be given with more than a click.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Verdict = Literal[
    "probe", "prefetch", "program", "script", "no_click", "unread", "both_links", "at_once"
]

AT_ONCE = timedelta(seconds=30)
"""Scanners open what they find when a mail arrives."""
TOGETHER = timedelta(seconds=10)
"""Nobody reads two pages that ask for opposite things within this."""
READS = timedelta(seconds=2)
"""Nobody opens a page, reads it and answers within this."""
MOST_USER_AGENT = 200

WORDS: Mapping[Verdict, str] = {
    "probe": "it only asked whether the page is there",
    "prefetch": "it fetched the page before anybody asked for it",
    "program": "it calls itself a program, or nothing at all",
    "script": "a script fetched the page, and nobody opened it",
    "no_click": "an answer was sent, and nobody pressed a button",
    "unread": "an answer was sent before anybody could have read the page",
    "both_links": "both links of the mail were opened within seconds",
    "at_once": "it was opened within seconds of being sent",
}
"""Why a visit looks like that of a program."""

_PROGRAM = re.compile(
    r"bot\b|crawl|spider|slurp|preview|scan|headless|phantom|puppeteer|playwright|selenium"
    r"|python|curl|wget|go-http|^java|okhttp|libwww|httpclient|http-client|http_client|httpx"
    r"|axios|node-fetch|undici|guzzle|ruby|perl|facebookexternalhit|whatsapp|telegram|slack"
    r"|discord|skypeuri|safelinks|proofpoint|mimecast|barracuda|urldefense|symantec|trendmicro"
    r"|forcepoint|cloudmark|virustotal|urlscan|office|outlook|google-\w+|yahoo|bitly|monitor",
    re.IGNORECASE,
)
_FETCHED_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody or something came by a link; `verdict` is None for a person."""

    at: datetime
    method: str
    user_agent: str
    verdict: Verdict | None
    same_link: bool


def judged(
    method: str,
    headers: Mapping[str, str],
    *,
    now: datetime,
    sent_at: datetime,
    earlier: Sequence[Visit],
) -> Verdict | None:
    """Return why this looks like a program; `headers` have names in lower case.

    `earlier` are the visits to any link of the same mail.
    """
    if method == "HEAD":
        return "probe"
    if any(
        word in headers.get(name, "").lower()
        for name in _FETCHED_AHEAD
        for word in ("prefetch", "prerender", "preview")
    ):
        return "prefetch"
    agent = headers.get("user-agent", "")
    if not agent.strip() or _PROGRAM.search(agent):
        return "program"
    if headers.get("sec-fetch-mode", "navigate") != "navigate":
        return "script"
    # Browsers say it of what a person pressed, and no page can say it by itself.
    if method == "POST" and headers.get("sec-fetch-user") != "?1":
        return "no_click"
    if method == "POST" and _was_not_read(now, earlier):
        return "unread"
    if any(not one.same_link and now - one.at < TOGETHER for one in earlier):
        return "both_links"
    if now - sent_at < AT_ONCE:
        return "at_once"
    return None


def _was_not_read(now: datetime, earlier: Sequence[Visit]) -> bool:
    looks = [one.at for one in earlier if one.same_link and one.method == "GET"]
    return not looks or now - max(looks) < READS


def looks_scanned(visits: Sequence[Visit]) -> bool:
    """Tell whether programs open the links of a mail."""
    return any(one.verdict is not None for one in visits)
