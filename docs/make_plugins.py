"""Write docs/plugins.md, the manual for plugin authors, from benchspec/kinds/bases.py, values.py and engine.py.

python docs/make_plugins.py
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
KINDS = ROOT / "benchspec" / "kinds"
#: the classes of each file, in the order of the page
CONTENTS = {
    "bases.py": ["Plugin", "Dataset", "Model", "Method", "Recipe", "Job", "Backend"],
    "engine.py": ["Engine"],
    "bases.py ": ["Launcher", "Handle", "Hardware", "Reporter"],
    "values.py": ["Row", "Shape", "Share", "Fact", "Facts"],
}
HEAD = """# Plugins

This page is made of the docstrings in `benchspec/kinds` by `docs/make_plugins.py`. All names on it are imported from
`benchspec`: `from benchspec import Dataset, Row, hookimpl`.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join("\n" + part for part in _parts())


def _parts() -> Iterator[str]:
    manual = ast.get_docstring(ast.parse((KINDS / "bases.py").read_text())) or ""
    yield _code_fenced(manual.partition("\n\n")[2]) + "\n"
    for file, names in CONTENTS.items():
        text = (KINDS / file.strip()).read_text()
        classes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}
        for name in names:
            yield _class(classes[name], text.splitlines())


def _class(node: ast.ClassDef, lines: list[str]) -> str:
    """A class with its attributes and methods."""
    entries = [entry for item in node.body for entry in _entries(item, lines)]
    return f"## {node.name}\n\n{_code_fenced(ast.get_docstring(node) or '')}\n\n" + "".join(entries)


def _entries(item: ast.stmt, lines: list[str]) -> Iterator[str]:
    """The lines of the page for an attribute or a method; none for what is private."""
    if isinstance(item, ast.AnnAssign):
        comment = _comment(item, lines)
        yield f"- **`{_attribute(item)}`**" + (f": {comment}" if comment else "") + "\n"
    elif isinstance(item, ast.FunctionDef) and item.name == "__init__":
        for each in item.body:
            if comment := _comment(each, lines):
                yield f"- **`{ast.unparse(each).partition(' = ')[0].removeprefix('self.')}`**: {comment}\n"
    elif isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
        yield f"- **`{_signature(item)}`**{_required(item)}: {_one_paragraph(ast.get_docstring(item) or '')}\n"


def _comment(item: ast.stmt, lines: list[str]) -> str:
    """The `#:` lines above an attribute."""
    above, number = [], item.lineno - 2
    while lines[number].strip().startswith("#:"):
        above.insert(0, lines[number].strip().removeprefix("#:").strip())
        number -= 1
    return " ".join(above)


def _attribute(item: ast.AnnAssign) -> str:
    """An attribute with its type and its default."""
    type_ = ast.unparse(item.annotation)
    if type_.startswith("ClassVar["):
        type_ = type_.removeprefix("ClassVar[").removesuffix("]")
    value = "" if item.value is None else f" = {ast.unparse(item.value)}"
    return f"{ast.unparse(item.target)}: {type_}{value}"


def _signature(function: ast.FunctionDef) -> str:
    """A method as it is called, or a property."""
    if any(ast.unparse(each) == "property" for each in function.decorator_list):
        return f"{function.name}: {ast.unparse(function.returns or ast.Constant(None))}"
    function.args.args = function.args.args[1:]
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{function.name}({ast.unparse(function.args)}){returns}"


def _required(function: ast.FunctionDef) -> str:
    return " (required)" if any(ast.unparse(each) == "abstractmethod" for each in function.decorator_list) else ""


def _one_paragraph(text: str) -> str:
    return " ".join(text.split())


def _code_fenced(text: str) -> str:
    """Indented blocks as fenced Python."""
    out, inside = [], False
    for line in text.splitlines():
        indented = line.startswith("    ") or (inside and not line)
        if indented and not inside:
            out.append("```python")
        elif inside and not indented:
            out[-1:] = ["```", ""] if not out[-1] else [out[-1], "```"]
        inside = indented
        out.append(dedent(line) if line.strip() == line else line.removeprefix("    "))
    return "\n".join([*out, "```"] if inside else out)


if __name__ == "__main__":
    (ROOT / "docs" / "plugins.md").write_text(page())
