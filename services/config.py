"""Reads `placet.yaml`: which sources are mirrored and where cards go; every error with its line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.settings import DEFAULT_WORKSPACE, HalfConfigured
from services.sources.definition import SourceDefinition
from services.sources.loading import SourceFileInvalid, load_source
from services.sources.numbered_yaml import NotYaml, Numbered, read

CHANNELS = ("inbox", "outbox")
_KEYS = ("workspace", "sources", "channels")


@dataclass(frozen=True, slots=True)
class Config:
    """What the files say."""

    sources: tuple[SourceDefinition, ...] = ()
    channels: tuple[str, ...] = CHANNELS


def read_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Return what a configuration file says; with none, no source and every channel.

    Raises `HalfConfigured` with every error of this file and of the source files at once.
    """
    if path is None:
        return Config()
    try:
        numbered = read(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise HalfConfigured([f"{path}: cannot be read: {error}"]) from error
    except NotYaml as error:
        raise HalfConfigured(
            [f"{path}:{fault.line}: {fault.sentence}" for fault in error.faults]
        ) from error
    reader = _Reader(path, numbered, environ)
    config = reader.config()
    if reader.errors:
        raise HalfConfigured(reader.errors)
    return config


class _Reader:
    def __init__(self, path: Path, numbered: Numbered, environ: Mapping[str, str]) -> None:
        self._path = path
        self._numbered = numbered
        self._environ = environ
        self.errors: list[str] = []

    def config(self) -> Config:
        value = self._numbered.value
        if value is None:
            return Config()
        if not isinstance(value, dict):
            self._wrong((), "the file must be a mapping, such as `sources: [expenses.yaml]`")
            return Config()
        for key in value:
            if key not in _KEYS:
                self._wrong((key,), f"{key} is not known here; known are {', '.join(_KEYS)}")
        workspace = value.get("workspace", DEFAULT_WORKSPACE)
        if not isinstance(workspace, str) or not workspace:
            self._wrong(("workspace",), "workspace: must be a text")
            workspace = DEFAULT_WORKSPACE
        channels = self._texts("channels", value.get("channels", list(CHANNELS)))
        for place, channel in enumerate(channels):
            if channel not in CHANNELS:
                known = ", ".join(CHANNELS)
                self._wrong(("channels", place), f"channels: {channel!r} is none of {known}")
        return Config(self._sources(workspace, value.get("sources", [])), tuple(channels))

    def _sources(self, workspace: str, given: object) -> tuple[SourceDefinition, ...]:
        found: dict[str, SourceDefinition] = {}
        for place, name in enumerate(self._texts("sources", given)):
            try:
                # Beside the file that names it, wherever the process was started.
                source = load_source(self._path.parent / name, workspace, self._environ)
            except SourceFileInvalid as error:
                self.errors.extend(error.errors)
                continue
            if source.name in found:
                self._wrong(("sources", place), f"sources: there are two named {source.name!r}")
            found[source.name] = source
        return tuple(found.values())

    def _texts(self, key: str, given: object) -> list[str]:
        if isinstance(given, list) and all(isinstance(one, str) for one in given):
            return given
        self._wrong((key,), f"{key}: must be a list of texts")
        return []

    def _wrong(self, place: tuple[str | int, ...], sentence: str) -> None:
        self.errors.append(f"{self._path}:{self._numbered.line(place)}: {sentence}")
