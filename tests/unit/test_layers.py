"""The layers stay apart and their files small."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "custom_components" / "strata"
PURE_LAYERS = ("core", "store", "analysis", "sources", "mirror", "archive")
LONGEST_FILE = 450
LONGEST_FUNCTION = 60

FILES = sorted(PACKAGE.rglob("*.py"))
PURE_FILES = [path for path in FILES if path.relative_to(PACKAGE).parts[0] in PURE_LAYERS]


def _name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def _imported_modules(tree: ast.AST) -> set[str]:
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules.add(node.module)
    return modules


def _parents_left(path: Path, tree: ast.AST) -> set[str]:
    """Names a relative import takes from above the pure layers, where Home Assistant is allowed."""
    depth = len(path.relative_to(PACKAGE).parts)
    return {
        (node.module or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == depth
        for alias in node.names
    }


@pytest.mark.parametrize("path", PURE_FILES, ids=_name)
def test_pure_layer_imports_no_home_assistant(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    outside = {name for name in _imported_modules(tree) if name.split(".")[0] in {"homeassistant", "probatio"}}
    assert not outside, f"{_name(path)} imports {outside}"


@pytest.mark.parametrize("path", PURE_FILES, ids=_name)
def test_pure_layer_reaches_only_pure_layers(path: Path) -> None:
    reached = _parents_left(path, ast.parse(path.read_text(encoding="utf-8")))
    assert reached <= {*PURE_LAYERS, "const"}, f"{_name(path)} reaches up to {reached - {*PURE_LAYERS}}"


def test_constants_shared_with_the_pure_layers_are_pure() -> None:
    path = PACKAGE / "const.py"
    if path.exists() and any("const" in _parents_left(p, ast.parse(p.read_text(encoding="utf-8"))) for p in PURE_FILES):
        modules = _imported_modules(ast.parse(path.read_text(encoding="utf-8")))
        assert not {name for name in modules if name.startswith("homeassistant")}


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_file_and_its_functions_are_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert not long, f"{_name(path)}: functions longer than {LONGEST_FUNCTION} lines: {long}"
