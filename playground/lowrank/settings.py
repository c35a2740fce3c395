"""
What may be set of the repair of an adapter: named, bounded and preset as PEFT's `reduce_intruder_dimension` has it.
"""

from __future__ import annotations

from playground.bounds import Bound

TOP_K = Bound("top_k", 10, 1, 64)
EPSILON = Bound("threshold_epsilon", 0.5, 0.0, 1.0)
LAMBDA = Bound("mitigation_lambda", 0.75, 0.0, 1.0)
AS_RANK = Bound("rank", 8, 1, 64)  # of what is converted to LoRA
