"""What pages are made from, read as text: public names, verbs of a workspace, messages. Imports nothing of voxloop."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "voxloop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One sentence that is raised: its error, the sentence with ``…`` for what is given, and the room it comes from."""

    error: str
    words: str
    room: str


def public_names() -> dict[str, str]:
    """Public name -> where it is defined: ``{"Run": "voxloop.runs.Run"}``; modules as they are."""
    names = {}
    for node in ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = ".".join(filter(None, ("voxloop", node.module, alias.name)))
    return names


def defined_at(dotted: str) -> str:
    """The module in which a name is written, where ``dotted`` names a package that only hands it on."""
    module, _, name = dotted.rpartition(".")
    folder = PACKAGE.parent.joinpath(*module.split("."))
    for path in (folder / "__init__.pyi", folder / "__init__.py"):
        if not path.exists():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
                start = module if node.level == 1 else ""
                there = ".".join(filter(None, (start, node.module, name)))
                return there if there == dotted else defined_at(there)
    return dotted


def verbs() -> dict[str, str]:
    """Verb of a workspace -> the function behind it: ``{"train": "voxloop.workspace.train.train"}``."""
    tree = ast.parse((PACKAGE / "workspace" / "workspace.py").read_text(encoding="utf-8"))
    modules: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "voxloop.workspace":
            modules.update({alias.asname or alias.name: f"voxloop.workspace.{alias.name}" for alias in node.names})
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Workspace").body
    found = {}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute):
            owner, target = node.value.value, node.targets[0]
            if isinstance(owner, ast.Name) and isinstance(target, ast.Name) and owner.id in modules:
                found[target.id] = f"{modules[owner.id]}.{node.value.attr}"
    return found


@cache
def messages() -> list[Message]:
    """Every sentence that an error of the package is made with, once, in the order of rooms."""
    errors = {
        node.name
        for node in ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    found: dict[tuple[str, str], Message] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "Error(" not in text:
            continue
        parts = path.relative_to(PACKAGE).parts
        room = parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            name = node.func.id
            words = re.sub(r"\s+", " ", _words(node.args[0])).strip()
            if name in errors and len(re.sub(r"[…\W]", "", words)) > 7:
                found.setdefault((name, words), Message(error=name, words=words, room=room))
    return list(found.values())


def _words(node: ast.expr) -> str:
    """The text of an expression; ``…`` stands for what only a run of the program knows."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_words(part) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _words(node.left) + _words(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "unknown" and node.args:
        return f"unknown {_words(node.args[0])} …; there are …; did you mean …?"
    return "…"


def error_words() -> dict[str, str]:
    """Error -> its docstring, in the order of the module."""
    tree = ast.parse((PACKAGE / "errors.py").read_text(encoding="utf-8"))
    return {node.name: ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.ClassDef)}
