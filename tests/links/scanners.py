"""What machines do with the links of a mail, as profiles that can be played against any product.

    python -m tests.links.scanners APPROVE_LINK DENY_LINK --look URL --pending TEXT

plays every profile against the two links of one mail that you had sent to yourself, and after each
looks at URL: as long as the page there holds TEXT, nothing was decided. Chromium's profiles are
played by the tests beside this file.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
"""How a scanner that disguises itself is called."""
OPENS = {
    "User-Agent": CHROME,
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
}
SENDS = {**OPENS, "Sec-Fetch-Site": "same-origin", "Origin": "null"}
MOST_FOLLOWED = 30

Play = Callable[[httpx2.AsyncClient, Sequence[str]], Awaitable[None]]


@dataclass(frozen=True)
class Profile:
    """One kind of machine: what it does with the links of a mail, and what it is called."""

    name: str
    play: Play


@dataclass
class Form:
    """A form of a page, as a machine reads it."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """The links and forms of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "a" | "link":
                self.links.append(given.get("href", ""))
            case "img" | "script" | "iframe":
                self.links.append(given.get("src", ""))
            case "form":
                self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
            case "input" | "textarea" | "button" if self.forms and given.get("name"):
                self.forms[-1].fields[given["name"]] = given.get("value", "")
            case _:
                return


def heads_then_gets() -> Play:
    async def play(client: httpx2.AsyncClient, links: Sequence[str]) -> None:
        for link in links:
            await client.head(link, headers={"User-Agent": CHROME})
            await client.get(link, headers={"User-Agent": CHROME})

    return play


def gets(headers: Mapping[str, str]) -> Play:
    async def play(client: httpx2.AsyncClient, links: Sequence[str]) -> None:
        for link in links:
            await client.get(link, headers=dict(headers))

    return play


def all_at_once(headers: Mapping[str, str]) -> Play:
    async def play(client: httpx2.AsyncClient, links: Sequence[str]) -> None:
        await asyncio.gather(
            *(client.get(link, headers=dict(headers)) for link in links for _ in range(3))
        )

    return play


def follows_everything(headers: Mapping[str, str]) -> Play:
    """Goes on to whatever a page links to on the same site, and gets where its forms lead."""

    async def play(client: httpx2.AsyncClient, links: Sequence[str]) -> None:
        left, seen = list(links), set[str]()
        while left and len(seen) < MOST_FOLLOWED:
            address = left.pop(0)
            if address in seen:
                continue
            seen.add(address)
            answer = await client.get(address, headers=dict(headers), follow_redirects=True)
            page = Page(answer.text)
            for found in (*page.links, *(form.action for form in page.forms)):
                there = urljoin(str(answer.url), found)
                if urlsplit(there).netloc == urlsplit(str(answer.url)).netloc:
                    left.append(there)

    return play


def sends_every_form(headers: Mapping[str, str], typed: str = "test") -> Play:
    """Fills in every field that is empty, and sends every form, whatever it is for."""

    async def play(client: httpx2.AsyncClient, links: Sequence[str]) -> None:
        for link in links:
            opened = await client.get(link, headers={**OPENS, **headers})
            await _send_all(client, link, opened.text, headers, typed)

    return play


def sends_them_twice(headers: Mapping[str, str]) -> Play:
    """Sends every form, and every form of the pages that answer."""

    async def play(client: httpx2.AsyncClient, links: Sequence[str]) -> None:
        for link in links:
            opened = await client.get(link, headers={**OPENS, **headers})
            for answer in await _send_all(client, link, opened.text, headers, "test"):
                await _send_all(client, link, answer, headers, "yes")

    return play


def guesses(headers: Mapping[str, str]) -> Play:
    """Sends what decides in many a product, without looking at the page."""

    async def play(client: httpx2.AsyncClient, links: Sequence[str]) -> None:
        for link in links:
            for fields in ({}, {"decision": "approve"}, {"action": "approve"}, {"confirm": "yes"}):
                await client.post(link, data=fields, headers=dict(headers))
            await client.post(link, json={"decision": "approve"}, headers=dict(headers))
            await client.get(f"{link}?decision=approve&confirm=approve", headers=dict(headers))

    return play


async def _send_all(
    client: httpx2.AsyncClient, link: str, html: str, headers: Mapping[str, str], typed: str
) -> list[str]:
    answers = []
    for form in Page(html).forms:
        fields = {name: value or typed for name, value in form.fields.items()}
        there = urljoin(link, form.action) if form.action else link
        answer = await client.request(
            form.method.upper(),
            there,
            data=fields if form.method == "post" else None,
            params=fields if form.method == "get" else None,
            headers={**SENDS, **headers},
        )
        answers.append(answer.text)
    return answers


AGENTS: Mapping[str, str] = {
    "a message preview": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "a chat preview": "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    "a phone's preview": "WhatsApp/2.23.20.0",
    "a social preview": "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "a community preview": "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
    "a search engine": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "a mail gateway": "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))",
    "a link checker": "python-requests/2.32.3",
    "a script": "curl/8.10.1",
    "an office suite": "Microsoft Office/16.0 (Microsoft Outlook 16.0.17928; Pro)",
    "a headless browser": CHROME.replace("Chrome/", "HeadlessChrome/"),
    "nobody": "",
}
AHEAD: Sequence[Mapping[str, str]] = (
    {**OPENS, "Sec-Purpose": "prefetch"},
    {**OPENS, "Sec-Purpose": "prefetch;prerender"},
    {"User-Agent": CHROME, "Purpose": "prefetch"},
    {"User-Agent": CHROME, "X-Moz": "prefetch"},
    {"User-Agent": CHROME, "X-Purpose": "preview"},
)


def profiles() -> Iterator[Profile]:
    """Yield every profile that needs no browser."""
    yield Profile("HEAD, then GET", heads_then_gets())
    for name, agent in AGENTS.items():
        yield Profile(f"GET by {name}", gets({"User-Agent": agent}))
    for headers in AHEAD:
        said = " ".join(f"{name}: {value}" for name, value in headers.items() if name[:3] != "Use")
        yield Profile(f"fetches ahead ({said[-60:]})", gets(headers))
    yield Profile("opens both links within a second", gets(OPENS))
    yield Profile("opens everything at once", all_at_once(OPENS))
    yield Profile("follows whatever is linked", follows_everything(OPENS))
    yield Profile("sends every form, in disguise", sends_every_form({}))
    yield Profile("sends every form, as itself", sends_every_form({"User-Agent": "curl/8.10.1"}))
    yield Profile("sends every form by a script", sends_every_form({"Sec-Fetch-Mode": "cors"}))
    yield Profile("sends every form, and what follows", sends_them_twice({}))
    yield Profile("guesses what decides", guesses({"User-Agent": CHROME}))
    yield Profile("guesses, as a browser would", guesses(SENDS))


async def _main(arguments: argparse.Namespace) -> int:
    decided = []
    async with httpx2.AsyncClient(timeout=30) as client:
        for profile in profiles():
            await profile.play(client, [arguments.approve, arguments.deny])
            looked = await client.get(arguments.look)
            pending = arguments.pending in looked.text
            told = "nothing decided" if pending else "DECIDED"
            sys.stdout.write(f"{told:16} {profile.name}\n")
            if not pending:
                decided.append(profile.name)
                break
    return 1 if decided else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("approve")
    parser.add_argument("deny")
    parser.add_argument("--look", required=True, help="an address that tells how the request is")
    parser.add_argument("--pending", required=True, help="what it says while nobody has answered")
    sys.exit(asyncio.run(_main(parser.parse_args())))
