"""
The page can be built before torch is there.
"""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "transformers", "peft", "bitsandbytes")


def test_building_the_page_imports_nothing_heavy() -> None:
    code = f"import sys, playground.ui.page as page; page.build_page(); print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
