"""A Python module under construction: header, imports, and blocks of code."""

import sys
from typing import Final

from sql.codegen.errors import CodegenError
from sql.codegen.options import PythonName

LINE_LENGTH: Final = 110
_LIBRARIES: Final = ("msgspec", "psycopg")


class Module:
    """Collects imports and top-level blocks; `render` puts them together."""

    def __init__(self, header: str, documentation: str) -> None:
        self._header = header
        self._documentation = documentation
        self._imports: dict[str, set[str]] = {}
        self._blocks: list[str] = []
        self._defined: set[str] = set()

    def use(self, *names: PythonName) -> None:
        """Import names; built-in ones need none."""
        for name in names:
            if name.module != "builtins":
                self._imports.setdefault(name.module, set()).add(name.name)

    def define(self, name: str, block: str) -> None:
        """Add a block of code that defines `name`."""
        if name in self._defined:
            raise CodegenError(f"{self._subject()}: {name} would be defined twice; rename a query")
        self._defined.add(name)
        self._blocks.append(block)

    def _subject(self) -> str:
        return self._documentation.removesuffix(".")

    def render(self) -> str:
        """Return the text of the module; raise `CodegenError` if a definition would hide an import."""
        imported = [name for names in self._imports.values() for name in names]
        for name in imported:
            if name in self._defined or imported.count(name) > 1:
                raise CodegenError(f"{self._subject()}: {name} would stand for two things; rename one")
        top = f'{self._header}\n"""{self._documentation}"""\n'
        imports = _render_imports(self._imports)
        return "\n\n".join(["\n".join([top, *imports]), *(block + "\n" for block in self._blocks)])


def _render_imports(imports: dict[str, set[str]]) -> list[str]:
    """Return blocks of imports: Python's own, those of libraries, ours."""
    groups: list[list[str]] = [[], [], []]
    for module, names in sorted(imports.items()):
        top = module.partition(".")[0]
        group = 0 if top in sys.stdlib_module_names else 1 if top in _LIBRARIES else 2
        groups[group].append(_render_import(module, sorted(names)))
    return ["\n".join(group) + "\n" for group in groups if group]


def _render_import(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= LINE_LENGTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])


def render_docstring(lines: tuple[str, ...]) -> list[str]:
    """Return comment lines as an indented docstring, line by line; nothing for no lines."""
    texts = [line.replace("\\", "\\\\").replace('"""', "'''") for line in lines]
    if not texts:
        return []
    if len(texts) == 1 and not texts[0].endswith('"'):
        return [f'    """{texts[0]}"""']
    return [f'    """{texts[0]}', *(f"    {line}".rstrip() for line in texts[1:]), '    """']


def render_call(opening: str, arguments: list[str], closing: str) -> str:
    """Return `opening` + arguments + `closing` on one line, or one argument a line if that is too long."""
    line = f"{opening}{', '.join(arguments)}{closing}"
    if len(line) <= LINE_LENGTH or not arguments:
        return line
    indent = " " * (len(opening) - len(opening.lstrip()))
    return "\n".join([opening, *(f"{indent}    {argument}," for argument in arguments), indent + closing])
