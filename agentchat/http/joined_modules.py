"""The page's modules joined into one file for each entry, so that a visit takes one request instead of one for each.

A joined file keeps every module in a scope of its own, in the order of their imports:

    const modules = (globalThis[Symbol.for("modules")] ??= {});
    modules["core/format.js"] ??= (() => { …; return { ago, clock }; })();

A module that another one imports when it needs it (`import("./x.js")`) becomes a joined file of its own, with what it
imports and the pages don't have already. Understood are imports and exports as this project writes them: `import { a,
b as c } from`, `import * as all from`, and `export` before a function, class or constant.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping

from agentchat.protocol.errors import SettingsError

_IMPORT = re.compile(r'^import (?:\* as (\w+)|\{([^}]*)\}) from "(\.[^"]+)";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) ([\w$]+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_LAZY = re.compile(r'\bimport\("(\.[^"]+)"\)')
_COMMENT = re.compile(r"^[ \t]*(?:/\*.*?\*/|//[^\n]*)[ \t]*$", re.MULTILINE | re.DOTALL)
_WAITS = re.compile(r"^(?:\S.*)?\bawait\b", re.MULTILINE)
_REGISTRY = 'const modules = (globalThis[Symbol.for("modules")] ??= {});\n'


def join(sources: Mapping[str, str], entries: Iterable[str]) -> dict[str, str]:
    """Return the joined files by path, for the entries and for each module that is imported when it is needed.

    `sources` has the source of each module by its path, like `views/shared/dom.js`. Raises SettingsError if a module is
    missing or uses a form that isn't understood.
    """
    modules = {path: _Module(path, source) for path, source in sources.items()}
    for module in modules.values():
        module.check(modules)
    whole = {entry: _closure(modules, entry) for entry in entries}
    joined = {entry: _REGISTRY + "".join(_joined(modules, paths, entry)) for entry, paths in whole.items()}
    reached = {entry: set(paths) for entry, paths in whole.items()}
    pending = [(lazy, entry) for entry, paths in whole.items() for path in paths for lazy in modules[path].lazy]
    users: dict[str, set[str]] = {}
    while pending:
        path, entry = pending.pop()
        if entry not in users.setdefault(path, set()):
            users[path].add(entry)
            pending += [(lazy, entry) for used in _closure(modules, path) for lazy in modules[used].lazy]
    for path, its in users.items():
        there = set.intersection(*(reached[entry] for entry in its))
        own = [used for used in _closure(modules, path) if used not in there or used == path]
        names = ", ".join(modules[path].exports)
        ending = f"export const {{ {names} }} = modules[{json.dumps(path)}];\n"
        joined[path] = _REGISTRY + "".join(_joined(modules, own, path)) + ending
    return joined


class _Module:
    """A module's source, and what it takes from and gives to others."""

    def __init__(self, path: str, source: str) -> None:
        self.path = path
        source = _COMMENT.sub("", source)
        self.imports: dict[str, list[str]] = {}
        for match in _IMPORT.finditer(source):
            names = [name.split()[0] for name in (match[2] or "").split(",") if name.strip()]
            self.imports.setdefault(self._there(match[3]), []).extend(names)
        self.exports = _EXPORT.findall(source)
        self.lazy = [self._there(to) for to in _LAZY.findall(source)]
        self.body = _IMPORT.sub(self._taken, _EXPORT.sub("", source))
        if other := _OTHER.search(self.body):
            raise SettingsError(f"The page cannot be joined: {path} has {other[0]!r}, which is not understood.")

    def check(self, modules: Mapping[str, _Module]) -> None:
        """Raise SettingsError if a module, or something in it, is imported and doesn't exist."""
        for path in (*self.imports, *self.lazy):
            if path not in modules:
                raise SettingsError(f"The page cannot be joined: {self.path} imports {path}, which does not exist.")
            for name in set(self.imports.get(path, ())) - set(modules[path].exports):
                raise SettingsError(f"The page cannot be joined: {self.path} imports {name}, which {path} lacks.")

    def _there(self, to: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.path), to))

    def _taken(self, match: re.Match[str]) -> str:
        names = match[1] or "{" + match[2].replace(" as ", ": ") + "}"
        return f"const {names} = modules[{json.dumps(self._there(match[3]))}];"

    def scope(self, importer: str) -> str:
        """Return the module as an expression, for a file at the path `importer`."""

        def near(match: re.Match[str]) -> str:
            to = posixpath.relpath(self._there(match[1]), posixpath.dirname(importer) or ".")
            return f'import("{to if to.startswith("../") else "./" + to}")'

        body = re.sub(r"\n\s*\n+", "\n", _LAZY.sub(near, self.body)).strip()
        opening, closing = ("await (async () => {", "})()") if _WAITS.search(body) else ("(() => {", "})()")
        return f"{opening}\n{body}\nreturn {{ {', '.join(self.exports)} }};\n{closing}"


def _closure(modules: Mapping[str, _Module], path: str) -> list[str]:
    """Return a module and all that it imports, each after what it imports itself."""
    order: dict[str, None] = {}

    def visit(path: str) -> None:
        if path not in order:
            for imported in modules[path].imports:
                visit(imported)
            order[path] = None

    visit(path)
    return list(order)


def _joined(modules: Mapping[str, _Module], paths: Iterable[str], importer: str) -> Iterable[str]:
    for path in paths:
        yield f"modules[{json.dumps(path)}] ??= {modules[path].scope(importer)};\n"
