"""How to install an extra is said in one place, and names an extra that there is."""

import re
import tomllib
from pathlib import Path

from speech.extras import DISTRIBUTION, needs_extra

ROOT = Path(__file__).parent.parent
SOURCES = [path for folder in ("speech", "serve", "recipes") for path in sorted((ROOT / folder).rglob("*.py"))]


def test_the_fix_installs_this_package_with_the_extra():
    assert needs_extra("kenlm") == f"pip install '{DISTRIBUTION}[kenlm]'"


def test_every_extra_that_is_asked_for_exists():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    asked = [name for path in SOURCES for name in re.findall(r'needs_extra\("([\w-]+)"\)', path.read_text("utf-8"))]
    assert asked
    assert set(asked) <= set(extras)


def test_nothing_tells_to_install_a_package_that_is_not_ours():
    """The name `speech` on the public index belongs to somebody else."""
    for path in [*SOURCES, ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        assert not re.search(r"pip install '?\"?speech\b(?!-)", path.read_text("utf-8")), path
