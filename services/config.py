"""Reads `placet.yaml`: sources, types, policies, people and channels.

Every error is told with its line, all of them at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.approval_types import ApprovalType, ApprovalTypes
from services.approval_types.loading import approvers_of, load_type
from services.directory import Directory
from services.directory.loading import read_people
from services.policies import Policies, Spec, load_policies
from services.settings import DEFAULT_WORKSPACE, HalfConfigured
from services.sources.definition import SourceDefinition
from services.sources.loading import load_source
from services.yaml_files.faults import FileInvalid
from services.yaml_files.numbered_yaml import Fault, NotYaml, Numbered, read

CHANNELS = ("inbox", "outbox")
_KEYS = (
    "workspace",
    "sources",
    "channels",
    "people",
    "types",
    "strict_types",
    "policies",
    "approvers",
)


@dataclass(frozen=True, slots=True)
class Config:
    """What the files say."""

    sources: tuple[SourceDefinition, ...] = ()
    channels: tuple[str, ...] = CHANNELS
    types: ApprovalTypes = field(default_factory=ApprovalTypes)
    directory: Directory = field(default_factory=Directory)
    policies: Policies = field(default_factory=Policies)


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
        strict = value.get("strict_types", False)
        if not isinstance(strict, bool):
            self._wrong(("strict_types",), "strict_types: must be true or false")
        people = self._people(value.get("people", []))
        approvers = self._approvers(value.get("approvers", []), people)
        return Config(
            self._sources(workspace, value.get("sources", [])),
            tuple(channels),
            ApprovalTypes(
                workspace=workspace,
                types=self._types(value.get("types", []), people),
                default_approvers=approvers,
                strict=strict is True,
            ),
            people,
            self._policies(workspace, value.get("policies", []), people, approvers),
        )

    def _people(self, given: object) -> Directory:
        faults: list[Fault] = []
        found = read_people(given, self._numbered, ("people",), faults)
        self.errors.extend(f"{self._path}:{fault.line}: {fault.sentence}" for fault in faults)
        return found

    def _types(self, given: object, people: Directory) -> dict[str, ApprovalType]:
        found: dict[str, ApprovalType] = {}
        for place, name in enumerate(self._texts("types", given)):
            try:
                kind = load_type(self._path.parent / name, people)
            except FileInvalid as error:
                self.errors.extend(error.errors)
                continue
            if kind.name in found:
                self._wrong(("types", place), f"types: there are two named {kind.name!r}")
            found[kind.name] = kind
        return found

    def _policies(
        self, workspace: str, given: object, people: Directory, last_resort: tuple[Spec, ...]
    ) -> Policies:
        paths = [self._path.parent / name for name in self._texts("policies", given)]
        policies, errors = load_policies(paths, people)
        self.errors.extend(errors)
        return Policies(workspace=workspace, policies=policies, last_resort=last_resort)

    def _approvers(self, given: object, people: Directory) -> tuple[Spec, ...]:
        faults: list[Fault] = []
        found = approvers_of(
            self._texts("approvers", given), people, self._numbered, ("approvers",), faults
        )
        self.errors.extend(f"{self._path}:{fault.line}: {fault.sentence}" for fault in faults)
        return found

    def _sources(self, workspace: str, given: object) -> tuple[SourceDefinition, ...]:
        found: dict[str, SourceDefinition] = {}
        for place, name in enumerate(self._texts("sources", given)):
            try:
                # Beside the file that names it, wherever the process was started.
                source = load_source(self._path.parent / name, workspace, self._environ)
            except FileInvalid as error:
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
