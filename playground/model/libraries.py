"""
The heavy libraries: imported once, whole, by one thread, while everybody who needs them waits.

torch, transformers, PEFT and bitsandbytes import each other, and transformers makes its modules when their names are asked
for: of two threads that import at once, one may see a module half made. Knows nothing about what they are used for.
"""

from __future__ import annotations

import gc
import pkgutil
import threading
from importlib import import_module

import playground

IMPORTING = threading.RLock()  # held by whoever imports from them anew, such as the modules of a model's own family
_IMPORTED = threading.Event()


def forked() -> None:
    """In a process that was forked: wait for no thread of the other one."""
    global IMPORTING
    IMPORTING = threading.RLock()


def import_all() -> None:
    """Import them, and every module of this package that uses them; at once where that has been done. Waits for others."""
    if _IMPORTED.is_set():
        return
    with IMPORTING:
        import peft  # noqa: F401  brings torch, transformers and bitsandbytes
        from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig  # noqa: F401

        for module in pkgutil.walk_packages(playground.__path__, "playground."):
            import_module(module.name)
        gc.freeze()  # they stay: looking for garbage, after every training, need not go through them: half a second
        _IMPORTED.set()
