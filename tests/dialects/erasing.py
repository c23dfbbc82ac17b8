"""Takes the types out of the seed's TypeScript, so that Node runs it: nothing else is touched."""

import re

ANNOTATIONS = (
    "private ",
    r"(?<=\bclient): DaimonClient(?=;)",
    r"(?<=\bpendingApprovals): Map<string, any>",
    r"(?<=\b(?:apiKey)): string\b",
    r"(?<=\brecipients): string\[\]",
    r"(?<=\bsubject): string\b",
    r"(?<=\bbody): string\b",
    r"(?<=\b(?:event)): any\b",
    r"(?<=\b(?:approval)): any\b",
    r"(?<=\bparams): \{[^}]*\}",
)


def erased(source: str) -> str:
    """The program without its types, line for line, as a type stripper leaves it."""
    for annotation in ANNOTATIONS:
        source = re.sub(annotation, lambda found: "\n" * found.group().count("\n"), source)
    return source
