"""
The lanes of this page's work: what waits for what, and how each behaves.
"""

from __future__ import annotations

from playground.work.jobs import Lane

TRAIN = Lane("train", share=1.0, long=True, keeps=True)
COMPARE = Lane("compare", share=3.0)
LAB = Lane("lab", share=3.0)  # short work of the labs, whose answers are waited for
MEASURE = Lane("measure", share=1.0)  # long measurements
