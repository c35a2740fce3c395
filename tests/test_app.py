"""What app.py has imported when it begins to serve."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_is_built_without_torch_and_with_transformers_whole() -> None:
    """
    torch takes seconds, which the warm-up spends beside the page. transformers replaces itself in sys.modules at the end
    of its import: a second thread that imports it meanwhile keeps the replaced one, and its first question fails.
    """
    program = "import sys, app; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "torch" not in modules
    assert "transformers" in modules
