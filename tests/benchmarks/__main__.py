"""
`make bench`: the slow studies, each a Markdown table with the machine that it was measured on.
"""

from __future__ import annotations

import sys

from tests.benchmarks import (
    blocks,
    cluster,
    comparing,
    formats,
    gpu,
    healing,
    ladder,
    load,
    lowrank,
    memory,
    methods,
    places,
    pruning,
    starting,
    training,
)

STUDIES = {
    "starting": starting.study,
    "comparing": comparing.study,
    "gpu": gpu.study,
    "gpu_training": gpu.trainings,
    "gpu_loading": gpu.loading,
    "load": load.study,
    "cluster": cluster.study,
    "places": places.study,
    "training": training.study,
    "methods": methods.study,
    "lowrank": lowrank.study,
    "formats": formats.study,
    "memory": memory.study,
    "pruning": pruning.study,
    "healing": healing.study,
    "blocks": blocks.study,
    "ladder": ladder.study,
}

for name in sys.argv[1:] or STUDIES:
    STUDIES[name]()
