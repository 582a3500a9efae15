"""Prints the picture of imports: rooms, the arrows between them, and circles.

    python tests/imports.py [--mermaid] [REVISION]

A room is a folder of modules, or a module that lies directly in a package. An import counts
wherever it stands: at the top, inside a function, or as a string that is the name of a module, such
as "horovod.runner.launch". Blocks under TYPE_CHECKING do not count, for Python never runs them.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("jobs", "pipelines", "optdist")  # an arrow may only lead from left to right
_MODULE = re.compile(r"(?:.*-m )?([A-Za-z_]\w*(?:\.\w+)+)(?::\w+)?(?: .*)?")
_FILES = {"mlflow.db"}  # named like a module


class Import(NamedTuple):
    """One import: the full name of what is imported, a module or a name in one."""

    name: str
    line: int
    is_string: bool = False


def sources(revision: str | None = None) -> dict[str, str]:
    """The source of each module by its full name, of the working tree or of a git revision."""
    if revision is None:
        files = {
            path.relative_to(ROOT).as_posix(): path.read_text()
            for package in PACKAGES
            for path in (ROOT / package).rglob("*.py")
        }
    else:
        command = ["git", "-C", str(ROOT), "archive", revision, *PACKAGES]
        archive = subprocess.run(command, check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tree:
            files = {
                member.name: tree.extractfile(member).read().decode()
                for member in tree.getmembers()
                if member.name.endswith(".py")
            }
    names = {path: path.removesuffix(".py").removesuffix("/__init__") for path in sorted(files)}
    return {name.replace("/", "."): files[path] for path, name in names.items()}


def imports_of(source: str) -> Iterator[Import]:
    """Every import of a module, whatever kind it is."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports are not used here"
            yield from (Import(f"{node.module}.{a.name}", node.lineno) for a in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = _MODULE.fullmatch(node.value)
            if match and match[1] not in _FILES:
                yield Import(match[1], node.lineno, is_string=True)


@cache
def is_installed(name: str) -> bool:
    """Whether a name is that of a module of an installed library; nothing of it is imported."""
    top, *rest = name.split(".")
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return False
    spec = find_spec(top)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        place = Path(folder, *rest)
        if (place / "__init__.py").exists() or any(place.parent.glob(f"{place.name}.*")):
            return True
    return False


def own_imports(modules: Mapping[str, str]) -> dict[str, set[str]]:
    """Module -> the other modules of the project that it imports."""

    def module_of(name: str) -> str | None:
        parent = name.rpartition(".")[0]
        return name if name in modules else parent if parent in modules else None

    return {
        module: {
            found
            for one in imports_of(source)
            if (found := one.name if one.is_string else module_of(one.name)) in modules
        }
        - {module}
        for module, source in modules.items()
    }


def library_imports(modules: Mapping[str, str]) -> Iterator[tuple[str, str, Import]]:
    """Every import of something else than this project: the module, the library, the import."""
    for module, source in modules.items():
        for one in imports_of(source):
            top = one.name.split(".")[0]
            is_library = top not in PACKAGES and top not in sys.stdlib_module_names
            if is_library and (not one.is_string or is_installed(one.name)):
                yield module, top, one


def room_of(module: str, modules: Mapping[str, str]) -> str:
    """The room that a module is in."""
    parent, _, _ = module.rpartition(".")
    is_package = any(other.startswith(f"{module}.") for other in modules)
    return module if is_package or (parent in PACKAGES and parent in modules) else parent


def room_imports(modules: Mapping[str, str]) -> dict[str, set[str]]:
    """Room -> the other rooms that it imports."""
    rooms: dict[str, set[str]] = {}
    for module, others in own_imports(modules).items():
        room = room_of(module, modules)
        rooms.setdefault(room, set()).update(room_of(other, modules) for other in others)
    return {room: others - {room} for room, others in sorted(rooms.items())}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of two or more nodes that all reach each other, in Tarjan's way."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            groups.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return [group for group in groups if len(group) > 1]


def depths(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """How many rooms lie below each one; rooms of one circle have one depth."""
    group_of: dict[str, tuple[str, ...]] = {node: (node,) for node in graph}
    group_of |= {node: tuple(group) for group in circles(graph) for node in group}

    @cache
    def depth(group: tuple[str, ...]) -> int:
        below = {group_of[other] for node in group for other in graph[node]} - {group}
        return max((1 + depth(other) for other in below), default=0)

    return {node: depth(group_of[node]) for node in graph}


def as_text(modules: Mapping[str, str]) -> str:
    """The rooms from the top to the bottom, each with the rooms that it imports."""
    rooms = room_imports(modules)
    level = depths(rooms)
    order = sorted(rooms, key=lambda room: (PACKAGES.index(room.split(".")[0]), -level[room], room))
    width = max(map(len, rooms))
    size = {room: sum(room_of(module, modules) == room for module in modules) for room in rooms}
    lines = []
    for room in order:
        targets = sorted(rooms[room], key=order.index)
        lines.append(f"{size[room]:>3}  {room:<{width}}  -> {', '.join(targets) or 'nothing'}")
    found = {
        "between rooms": circles(rooms),
        "between modules": circles(own_imports(modules)),
    }
    for place, groups in found.items():
        lines.append(f"circles {place}: {len(groups) or 'none'}")
        lines += [f"     {' <-> '.join(group)}" for group in groups]
    return "\n".join([f"{len(modules)} modules in {len(rooms)} rooms", *lines])


def as_mermaid(modules: Mapping[str, str]) -> str:
    """The same as a diagram for a page; an arrow that follows from two others is left out."""
    rooms = room_imports(modules)

    @cache
    def reached(room: str) -> frozenset[str]:
        return frozenset(rooms[room]).union(*(reached(other) for other in rooms[room]))

    if circles(rooms):
        edges = rooms
    else:
        edges = {
            room: others - frozenset[str]().union(*(reached(other) for other in others))
            for room, others in rooms.items()
        }
    lines = [f"  {room} --> {other}" for room in edges for other in sorted(edges[room])]
    return "\n".join(["flowchart TD", *lines])


def main() -> None:
    """Print the picture of the working tree or of a revision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("revision", nargs="?", help="a git revision (default: the working tree)")
    parser.add_argument("--mermaid", action="store_true", help="as a diagram for a page")
    arguments = parser.parse_args()
    modules = sources(arguments.revision)
    print(as_mermaid(modules) if arguments.mermaid else as_text(modules))


if __name__ == "__main__":
    main()
