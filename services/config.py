"""Reads `placet.yaml`: sources, types, policies, people and channels.

Every error is told with its line, all of them at once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.approval_types import ApprovalType, ApprovalTypes
from services.approval_types.definition import MOST_UNDO_S
from services.approval_types.loading import approvers_of, load_type
from services.channel_files import load_channel
from services.channel_files.definition import ChannelFile
from services.directory import Directory
from services.directory.loading import read_people
from services.directory.preferences import NOTHING_SAID, Defaults, Preferences
from services.directory.preferring import NotPreferences, preferences_of
from services.policies import Policies, Spec, load_policies
from services.settings import DEFAULT_WORKSPACE, HalfConfigured
from services.sources.definition import SourceDefinition
from services.sources.loading import load_source
from services.yaml_files.durations import seconds
from services.yaml_files.faults import FileInvalid, dotted
from services.yaml_files.numbered_yaml import Fault, NotYaml, Numbered, read

CHANNELS = ("inbox", "outbox")
"""Those of our own, which need no file."""
UNDO_S = 10.0
"""How long an answer is held so that it can be taken back, where nothing else is said."""
_OF_SOURCES = "outcomes_of_sources"
_KEYS = (
    "workspace",
    "sources",
    "channels",
    "people",
    "types",
    "strict_types",
    "policies",
    "approvers",
    "undo",
    "notify",
)


@dataclass(frozen=True, slots=True)
class Config:
    """What the files say; `channels` are the names of ours, and the files of others."""

    sources: tuple[SourceDefinition, ...] = ()
    channels: tuple[str | ChannelFile, ...] = CHANNELS
    types: ApprovalTypes = field(default_factory=lambda: ApprovalTypes(undo_s=UNDO_S))
    directory: Directory = field(default_factory=Directory)
    policies: Policies = field(default_factory=Policies)
    notify: Defaults = field(default_factory=Defaults)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """How the channels are called."""
        return names_of(self.channels)


def names_of(channels: Sequence[str | ChannelFile]) -> tuple[str, ...]:
    """Return how some channels are called."""
    return tuple(one if isinstance(one, str) else one.name for one in channels)


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
        channels = self._channels(value.get("channels", list(CHANNELS)))
        strict = value.get("strict_types", False)
        if not isinstance(strict, bool):
            self._wrong(("strict_types",), "strict_types: must be true or false")
        # What a file that cannot be read would have been called is not known.
        names = None if self.errors else names_of(channels)
        people = self._people(value.get("people", []), names)
        approvers = self._approvers(value.get("approvers", []), people)
        types = self._types(value.get("types", []), people)
        return Config(
            self._sources(workspace, value.get("sources", [])),
            channels,
            ApprovalTypes(
                workspace=workspace,
                types=types,
                default_approvers=approvers,
                strict=strict is True,
                undo_s=self._undo(value.get("undo", f"{UNDO_S:g}s")),
            ),
            people,
            replace(
                self._policies(workspace, value.get("policies", []), people, approvers, names),
                demanded={
                    one.name: one.assurance for one in types.values() if one.assurance is not None
                },
            ),
            self._notify(workspace, value.get("notify"), names),
        )

    def _notify(self, workspace: str, given: object, channels: Collection[str] | None) -> Defaults:
        if given is None:
            return Defaults(workspace=workspace)
        of_sources: object = False
        if isinstance(given, dict):
            given = dict(given)
            of_sources = given.pop(_OF_SOURCES, False)
        if not isinstance(of_sources, bool):
            self._wrong(("notify", _OF_SOURCES), f"notify.{_OF_SOURCES}: must be true or false")
        said: Preferences = NOTHING_SAID
        try:
            said = preferences_of(given, channels)
        except NotPreferences as error:
            for path, sentence in error.faults:
                place = ("notify", *path)
                self._wrong(place, f"{dotted(place)}: {sentence}")
        return Defaults(
            workspace=workspace, preferences=said, outcomes_of_sources=of_sources is True
        )

    def _undo(self, given: object) -> float:
        try:
            held = seconds(given)
        except ValueError as error:
            self._wrong(("undo",), f"undo: {error}")
            return UNDO_S
        if not 0 <= held <= MOST_UNDO_S:
            self._wrong(("undo",), f"undo: must be from 0s to {MOST_UNDO_S:.0f}s")
        return held

    def _channels(self, given: object) -> tuple[str | ChannelFile, ...]:
        found: dict[str, str | ChannelFile] = {}
        for place, name in enumerate(self._texts("channels", given)):
            channel: str | ChannelFile = name
            if name not in CHANNELS:
                if not name.endswith((".yaml", ".yml")):
                    known = ", ".join(CHANNELS)
                    sentence = f"{name!r} is none of {known}, and no .yaml file of another channel"
                    self._wrong(("channels", place), f"channels: {sentence}")
                    continue
                try:
                    channel = load_channel(self._path.parent / name, self._environ)
                except FileInvalid as error:
                    self.errors.extend(error.errors)
                    continue
            called = channel if isinstance(channel, str) else channel.name
            if called in found:
                self._wrong(("channels", place), f"channels: there are two named {called!r}")
            found[called] = channel
        return tuple(found.values())

    def _people(self, given: object, channels: Collection[str] | None) -> Directory:
        faults: list[Fault] = []
        found = read_people(given, self._numbered, ("people",), faults, channels)
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
        self,
        workspace: str,
        given: object,
        people: Directory,
        last_resort: tuple[Spec, ...],
        channels: Collection[str] | None,
    ) -> Policies:
        paths = [self._path.parent / name for name in self._texts("policies", given)]
        policies, errors = load_policies(paths, people, channels)
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
