"""
Runs the parts of `make test`, always all of them, and says at the end which passed and how long each took.

A part is a target of the Makefile, which alone knows its command. `python -m tests lint-types test-unit` runs those two.
"""

from __future__ import annotations

import subprocess
import sys
import time

PARTS = ("lint-format", "lint-rules", "lint-types", "lint-imports", "test-unit", "test-page")


def run(part: str) -> tuple[bool, float]:
    """Whether the part passed, and its seconds; what it prints is shown as it comes."""
    print(f"\n=== {part}", flush=True)
    began = time.monotonic()
    passed = subprocess.run(["make", "--no-print-directory", part], check=False).returncode == 0
    return passed, time.monotonic() - began


def main(parts: list[str]) -> int:
    results = {part: run(part) for part in parts or PARTS}
    print("\n=== summary")
    for part, (passed, seconds) in results.items():
        print(f"{part:14}{'passed' if passed else 'FAILED'}{seconds:7.0f} s")
    print(f"{'together':20}{sum(seconds for _, seconds in results.values()):7.0f} s")
    return 0 if all(passed for passed, _ in results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
