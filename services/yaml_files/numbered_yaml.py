"""Reads YAML into plain values, and remembers on which line each of them stands."""

from dataclasses import dataclass, field

import yaml

from events.approval import Json

MAX_FILE_BYTES = 256 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 24

Path = tuple[str | int, ...]
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool", "null"))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong on one line, counted from 1, in a sentence."""

    line: int
    sentence: str


class NotYaml(Exception):
    """The text cannot be read as YAML: `faults` say where."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(fault.sentence for fault in faults))
        self.faults = faults


@dataclass(slots=True)
class Numbered:
    """The values of a YAML text, and the line of each path into them."""

    value: Json = None
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int:
        """Return the line of a path, or of the nearest thing around it that is there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(text: str) -> Numbered:
    """Return the values with their lines; raises `NotYaml`."""
    if len(text) > MAX_FILE_BYTES:
        raise NotYaml([Fault(1, f"the file is larger than {MAX_FILE_BYTES // 1024} KiB")])
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise NotYaml([Fault(line, f"this is not YAML: {error.problem or error}")]) from error
    except yaml.YAMLError as error:
        raise NotYaml([Fault(1, f"this is not YAML: {error}")]) from error
    reader = _Reader()
    if node is not None:
        reader.numbered.value = reader.value(node, ())
    if reader.faults:
        raise NotYaml(reader.faults)
    return reader.numbered


class _Reader:
    def __init__(self) -> None:
        self.numbered = Numbered()
        self.faults: list[Fault] = []
        self._loader = yaml.SafeLoader("")
        self._nodes = 0

    def value(self, node: yaml.Node, path: Path) -> Json:
        self._nodes += 1
        line = node.start_mark.line + 1
        # An alias may stand on an earlier line; where its name is used is what a reader looks at.
        self.numbered.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH or self._nodes > MAX_NODES:
            if not self.faults:
                self.faults.append(Fault(line, "this is nested too deeply, or repeats too often"))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*path, at)) for at, one in enumerate(node.value)]
        # Dates and the like stay the text that they were written as; YAML takes 22:00 for 1320.
        if node.tag in _PLAIN_TAGS and ":" not in node.value:
            try:
                return self._loader.construct_object(node)
            except (yaml.YAMLError, ValueError) as error:
                self.faults.append(Fault(line, f"this is not a {node.tag[18:]}: {error}"))
        return node.value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.append(Fault(line, "a key must be a plain word"))
                continue
            key = str(key_node.value)
            if key in found:
                first = self.numbered.lines[(*path, key)]
                self.faults.append(Fault(line, f"`{key}` stands here twice: see line {first} too"))
                continue
            self.numbered.lines[(*path, key)] = line
            found[key] = self.value(value_node, (*path, key))
        return found
