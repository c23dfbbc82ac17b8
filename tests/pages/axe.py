"""Holds pages to WCAG 2.2 AA by axe-core, on a bright desktop and on a dark phone."""

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

AXE = Axe()
ALL = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
SEEN = {
    "runOnly": {
        "type": "rule",
        "values": [
            "color-contrast",
            "target-size",
            "link-in-text-block",
            "scrollable-region-focusable",
        ],
    },
    "resultTypes": ["violations"],
}
"""What depends on how wide and how bright it is."""


class Held:
    """Looks at a page, and remembers what is wrong with it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []

    async def open(self, *paths: str) -> None:
        for path in paths:
            await self.page.goto(path)
            await self.look(path)

    async def look(self, at: str) -> None:
        """Look in full on a bright desktop, and at what differs on a dark phone."""
        await self.page.evaluate(AXE.axe_script)
        await self._look(f"{at} on a desktop", ALL)
        await self.page.set_viewport_size({"width": 390, "height": 844})
        await self.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        await self._look(f"{at} on a dark phone", SEEN)
        wide = await self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if wide > 0:
            self.wrong.append(f"{at} on a phone: {wide} px too wide")
        await self.page.set_viewport_size({"width": 1100, "height": 900})
        await self.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    async def _look(self, at: str, rules: dict[str, Any]) -> None:
        found = await self.page.evaluate("rules => axe.run(document, rules)", rules)
        for violation in found["violations"]:
            for node in violation["nodes"]:
                self.wrong.append(f"{at}: {violation['id']}: {node['html'][:200]}")
