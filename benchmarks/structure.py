"""Statistics of the code base as one table row: `uv run python benchmarks/structure.py`."""

import ast
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Print counts of files, lines and functions, the share of return types, and the ratio of tests to source."""
    sources = sorted((ROOT / "speech").rglob("*.py"))
    lines = [len(path.read_text("utf-8").splitlines()) for path in sources]
    functions = [
        node
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    lengths = [(node.end_lineno or 0) - node.lineno + 1 for node in functions]
    typed = sum(node.returns is not None for node in functions) / len(functions)
    tests = sum(len(path.read_text("utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py"))
    table = Table()
    for name in (
        "files",
        "lines median / p90 / max",
        "over 400",
        "functions p90 / max",
        "return types",
        "tests : source",
    ):
        table.add_column(name)
    table.add_row(
        str(len(sources)),
        f"{median(lines):.0f} / {quantiles(lines, n=10)[-1]:.0f} / {max(lines)}",
        str(sum(count > 400 for count in lines)),
        f"{quantiles(lengths, n=10)[-1]:.0f} / {max(lengths)}",
        f"{typed:.0%}",
        f"{tests / sum(lines):.2f}",
    )
    Console().print(table)


if __name__ == "__main__":
    main()
