"""Checks that the documents are true: links lead somewhere, and what they name exists."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    path
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
        *(ROOT / "client").rglob("*.md"),
    )
    if not {".venv", "node_modules"} & set(path.parts)
]
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
TARGET = re.compile(r"`make ([a-z][a-z-]*(?: [a-z][a-z-]*)*)`")
COMMAND = re.compile(r"placet (up|[a-z]+)\b")
SETTING = re.compile(r"PLACET_[A-Z_]+")


def main() -> int:
    """Print what is not true and return how much that is."""
    wrong = [*links(), *targets(), *settings(), *commands()]
    for line in wrong:
        print(line)
    print(f"{len(DOCUMENTS)} documents, {len(wrong)} faults")
    return min(len(wrong), 1)


def links() -> list[str]:
    """Return links that lead nowhere."""
    return [
        f"{path.relative_to(ROOT)}: there is no {target}"
        for path in DOCUMENTS
        for target in LINK.findall(path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]


def targets() -> list[str]:
    """Return make targets that are named and not there."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    known = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    return [
        f"{path.relative_to(ROOT)}: there is no `make {target}`"
        for path in DOCUMENTS
        for named in TARGET.findall(path.read_text("utf-8"))
        for target in named.split()
        if target not in known
    ]


def settings() -> list[str]:
    """Return settings that the README names and nothing reads, and those it leaves out."""
    code = "\n".join(
        path.read_text("utf-8")
        for folder in ("services", "tests", "deploy")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".yaml"} and "__pycache__" not in path.parts
    )
    readme = set(SETTING.findall((ROOT / "README.md").read_text("utf-8")))
    read = set(SETTING.findall((ROOT / "services" / "settings.py").read_text("utf-8")))
    return [
        *(f"README.md: nothing reads {name}" for name in sorted(readme) if name not in code),
        *(f"README.md: says nothing of {name}" for name in sorted(read - readme - {"PLACET_"})),
    ]


def commands() -> list[str]:
    """Return commands of the documents that the command line does not have."""
    source = (ROOT / "services" / "cli" / "commands.py").read_text("utf-8")
    return [
        f"{path.relative_to(ROOT)}: there is no `placet {command}`"
        for path in DOCUMENTS
        for command in re.findall(r"`(?:\.venv/bin/)?placet ([a-z]+)", path.read_text("utf-8"))
        if not re.search(rf"\b{command}\b", source)
    ]


if __name__ == "__main__":
    sys.exit(main())
