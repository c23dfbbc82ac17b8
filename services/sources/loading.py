"""Reads source files."""

from collections.abc import Mapping
from pathlib import Path

from services.sources.definition import SourceDefinition, SourceFile
from services.yaml_files.faults import parse, read_text


def load_source(path: Path | str, workspace: str, environ: Mapping[str, str]) -> SourceDefinition:
    """Return the source that a file describes, its secrets taken from `environ`.

    Raises `FileInvalid` with every fault at once.
    """
    path = Path(path)
    return parse_source(read_text(path), str(path), workspace, environ)


def parse_source(
    text: str, name: str, workspace: str, environ: Mapping[str, str]
) -> SourceDefinition:
    """Return the source that `text` describes; `name` is how its errors call it."""
    file, numbered = parse(text, name, SourceFile, environ)
    return SourceDefinition(workspace=workspace, path=name, file=file, lines=numbered.lines)
