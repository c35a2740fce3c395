"""
`make bench`: the slow studies, each a Markdown table with the machine that it was measured on.
"""

from __future__ import annotations

import sys

from tests.benchmarks import comparing, formats, gpu, load, lowrank, memory, methods, starting, training

STUDIES = {
    "starting": starting.study,
    "comparing": comparing.study,
    "gpu": gpu.study,
    "gpu_training": gpu.trainings,
    "load": load.study,
    "training": training.study,
    "methods": methods.study,
    "lowrank": lowrank.study,
    "formats": formats.study,
    "memory": memory.study,
}

for name in sys.argv[1:] or STUDIES:
    STUDIES[name]()
