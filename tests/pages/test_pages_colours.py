"""The colours of the style sheet can be told apart (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from importlib.resources import files

import pytest

TEXT, EDGE = 4.5, 3.0
PAIRS = [
    ("ink", "ground", TEXT),
    ("ink", "card", TEXT),
    ("ink", "sunk", TEXT),
    ("ink", "good-wash", TEXT),
    ("ink", "bad-wash", TEXT),
    ("ink", "warn-wash", TEXT),
    ("soft", "ground", TEXT),
    ("soft", "card", TEXT),
    ("soft", "sunk", TEXT),
    ("accent", "ground", TEXT),
    ("accent", "card", TEXT),
    ("accent", "wash", TEXT),
    ("accent", "good-wash", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-deep", TEXT),
    ("good", "card", TEXT),
    ("good", "ground", TEXT),
    ("bad", "card", TEXT),
    ("bad", "bad-wash", TEXT),
    ("warn", "card", TEXT),
    ("warn", "ground", TEXT),
    ("warn", "warn-wash", TEXT),
    ("field", "card", EDGE),
    ("field", "ground", EDGE),
    ("focus", "card", EDGE),
    ("focus", "ground", EDGE),
]


def colours(scheme: str) -> dict[str, str]:
    css = (files("services.queue.pages") / "static" / "placet.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    found: dict[str, str] = {}
    for block in (light, dark) if scheme == "dark" else (light,):
        found.update(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block))
    return found


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(one * 2 for one in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_a_colour_stands_out_against_what_it_stands_on(
    scheme: str, front: str, back: str, least: float
) -> None:
    found = colours(scheme)
    one, other = sorted((luminance(found[front]), luminance(found[back])), reverse=True)
    ratio = (one + 0.05) / (other + 0.05)
    assert ratio >= least, f"{front} on {back}: {ratio:.2f}"
