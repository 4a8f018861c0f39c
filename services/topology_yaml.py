"""YAML with line numbers: an inventory's mistakes are reported where they stand."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

VAULT_FILE = "$ANSIBLE_VAULT"


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in an inventory. `file` is "hosts.yml:12"; `key` what it is about."""

    file: str
    key: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.message} {self.remedy}"


class Secret(str):
    """A value that only ansible-vault can read; here it is merely known to be there."""


@dataclass(frozen=True)
class Entry:
    """A value and where it stands; `lines` has a line number for each key of a mapping or item of a list."""

    value: Any
    file: str
    line: int
    lines: dict[Any, int] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    def at(self, key: object) -> str:
        """Where one key of the mapping, or one item of the list, stands."""
        return f"{self.file}:{self.lines.get(key, self.line)}"


class Reader:
    """Reads files, collecting mistakes instead of stopping at the first."""

    def __init__(self, top: Path, mistakes: list[Mistake]) -> None:
        self.top, self.mistakes = top, mistakes

    def name(self, path: Path) -> str:
        """How a file is called in messages: relative to the inventory."""
        return str(path.relative_to(self.top))

    def tree(self, path: Path) -> tuple[str, yaml.Node | None]:
        """Name and root node of a file; None when it is empty, encrypted or unreadable."""
        name = self.name(path)
        try:
            text = path.read_text(encoding="utf-8")
            if text.startswith(VAULT_FILE):
                return name, None
            loader = yaml.CSafeLoader(text)
            try:
                root = loader.get_single_node()
            finally:
                loader.dispose()
            return name, refuse_circle(root, ())
        except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
            self.mistakes.append(unreadable(name, error))
            return name, None

    def pairs(self, name: str, node: yaml.Node | None, what: str) -> Iterator[tuple[str, yaml.Node, int]]:
        """(key, value node, line) of a mapping; anything else but nothing at all is a mistake."""
        if node is None or node.tag == "tag:yaml.org,2002:null":
            return
        if not isinstance(node, yaml.MappingNode):
            self.mistakes.append(
                Mistake(
                    f"{name}:{node.start_mark.line + 1}",
                    what,
                    "Names with values are expected here.",
                    "Write one `name: value` a line, indented below it.",
                )
            )
            return
        seen: set[str] = set()
        for key_node, value in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                self.mistakes.append(
                    Mistake(
                        f"{name}:{line}", key, "It stands here twice.", "Remove one; the second would win."
                    )
                )
            seen.add(key)
            yield key, value, line

    def entries(self, name: str, node: yaml.Node | None, what: str) -> dict[str, Entry]:
        """Variables of a mapping node."""
        return {key: entry(name, value, line) for key, value, line in self.pairs(name, node, what)}


def refuse_circle(node: yaml.Node | None, above: tuple[int, ...]) -> yaml.Node | None:
    """The node itself; a YAMLError when an alias leads back to where it stands."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return node
    if id(node) in above:
        raise yaml.constructor.ConstructorError(None, None, "an alias refers to itself", node.start_mark)
    below = (
        [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    )
    for part in below:
        refuse_circle(part, (*above, id(node)))
    return node


def unreadable(name: str, error: Exception) -> Mistake:
    """The mistake for a file that is not YAML, at the line the parser names."""
    mark = getattr(error, "problem_mark", None)
    where = f"{name}:{mark.line + 1}" if mark else name
    why = getattr(error, "problem", None) or str(error)
    return Mistake(
        where, "(file)", f"It cannot be read: {why}.", "Check the indentation and the quotes there."
    )


def entry(name: str, node: yaml.Node, line: int) -> Entry:
    """The plain value of a node, with the lines of its first level."""
    lines: dict[Any, int] = {}
    if isinstance(node, yaml.MappingNode):
        lines = {plain(k): k.start_mark.line + 1 for k, _ in node.value}
    elif isinstance(node, yaml.SequenceNode):
        lines = {i: item.start_mark.line + 1 for i, item in enumerate(node.value)}
    return Entry(plain(node), name, line, lines)


_CONSTRUCTOR = yaml.constructor.SafeConstructor()


def plain(node: yaml.Node) -> Any:  # noqa: ANN401 - YAML is any of its types
    """A node as Python data; what has an unknown tag (!vault) becomes a Secret."""
    if isinstance(node, yaml.MappingNode):
        return {plain(key): plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    if not node.tag.startswith("tag:yaml.org,2002:"):
        return Secret(node.tag)
    if node.tag == "tag:yaml.org,2002:str":
        return node.value
    try:
        return _CONSTRUCTOR.construct_object(node)
    except (ValueError, yaml.YAMLError):
        return node.value
