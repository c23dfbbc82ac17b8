"""Reads the statements of a `.sql` file by the names that stand above them."""

from functools import cache
from importlib.resources import files

_NAME = "-- name:"


@cache
def statements(package: str, file: str = "queries.sql") -> dict[str, str]:
    """Return name → statement of one SQL file in a package."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in files(package).joinpath(file).read_text("utf-8").splitlines():
        if line.startswith(_NAME):
            name = line.removeprefix(_NAME).strip()
            if name in found:
                raise ValueError(f"{package}/{file} names {name!r} twice")
            found[name] = []
        elif name and not line.startswith("--"):
            found[name].append(line)
    return {name: "\n".join(lines).strip().removesuffix(";") for name, lines in found.items()}
