"""
Every environment variable and every limit, in one place.

Limits are enforced where the work is done (in the core's rooms), not by sliders.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"

# Environment variables
CACHE = Path(os.environ.get("PLAYGROUND_CACHE") or Path.home() / ".cache" / "peft-playground")
DEFAULT_BASE = os.environ.get("PLAYGROUND_BASE") or "smollm2-135m"
SPACE = os.environ.get("SPACE_ID") or ""  # owner/name; Spaces set it
LOCAL_BASE = os.environ.get("PLAYGROUND_LOCAL_BASE") or ""  # a folder with a transformers model
ANY_BASE = (os.environ.get("PLAYGROUND_ANY_BASE") or ("off" if SPACE else "on")).lower() in ("on", "1", "yes", "true")
DEVICE = os.environ.get("PLAYGROUND_DEVICE") or ""  # "cpu", "cuda"; empty: the GPU if there is one
TOGETHER = max(
    1, int(os.environ.get("PLAYGROUND_TOGETHER") or 32)
)  # comparisons that go on at once, and at most 8 trainings
RAY = os.environ.get("PLAYGROUND_RAY") or ""  # a Ray cluster's address: "auto", "ray://host:10001"; empty: none
RAY_CORES = max(1, int(os.environ.get("PLAYGROUND_RAY_CORES") or 2))  # of a worker, where the cluster has no GPU
KERNELS = os.environ.get("PLAYGROUND_KERNELS") or "auto"  # float32 products on a CPU: "torch", "onednn"; "auto" measures
PRECISION = os.environ.get("PLAYGROUND_PRECISION") or "auto"  # of training's products on a CPU: "float32"; "auto" measures
KEPT_BYTES = round(1e9 * float(os.environ.get("PLAYGROUND_MEMORY") or 0))  # of what can be had again; 0: see below

# Memory for what can be had again (bases and their forms, attached models, activations), less what visitors' adapters hold
KEPT_SHARE = 1 / 20  # of the memory of the machine, or of its cgroup
USUALLY_KEPT_BYTES = 1_500_000_000  # the embedded base in float32, two simulated forms of it, and small things
LEAST_KEPT_BYTES = 1_000_000_000  # the embedded base and one simulated form

# Bases that are typed
MAX_TYPED_CHARACTERS = 300  # of a hub id or a folder
MAX_TYPED_BASES = 12  # of one session
MAX_BASE_CONFIG_BYTES = 1_000_000  # config.json

# Comparing
MAX_PROMPT_CHARACTERS = 2000
MAX_PROMPT_TOKENS = 2048  # of a question in its chat format, few-shot examples included
MAX_NEW_TOKENS = 256
MAX_PANES = 6
MAX_ANSWERS = 16  # of one pane to one question
TOP_TOKENS = 5

# Training
MAX_STEPS = 300
MAX_CHECKPOINTS = 12
MAX_CHECKPOINT_BYTES = 64_000_000  # of one run, all checkpoints together
MAX_STATE_BYTES = 512_000_000  # of one run, so that another worker can go on with it; larger ones would begin again
MAX_FULL_FINE_TUNING_PARAMETERS = 700_000_000
MIN_OWN_EXAMPLES, MAX_OWN_EXAMPLES = 8, 512
MAX_EXAMPLE_CHARACTERS = 1000
MAX_OWN_BYTES = 4_000_000  # of a file or a pasted table, or of what is read of a data set's file
MAX_OWN_UNPACKED_BYTES = 16_000_000  # of what is packed in a file: workbooks, Parquet
MAX_OWN_ROWS, MAX_OWN_COLUMNS = 5000, 100  # of a workbook, Parquet or typed rows, that are looked at
MAX_SEQUENCE_TOKENS = 384  # of one example, prompt and response
MAX_BATCH_TOKENS = 1024  # read at once, padding included: each has a logit for every word of the vocabulary
MAX_TOKENS_TOGETHER = 4096  # of the runs that step together, padding included: what the backward pass needs is kept of each

# Adapters
MAX_UPLOAD_BYTES = 32_000_000
MAX_UNPACKED_BYTES = 64_000_000
MAX_MODEL_BYTES = 1_000_000_000  # of a pruned base or a merged model that is downloaded
MAX_ZIP_DIRECTORY_BYTES = 1_000_000  # its list of files
MAX_CONFIG_BYTES = 100_000  # adapter_config.json
MAX_RECORD_BYTES = 2_000_000  # record.json, with the losses and samples of a whole run
MAX_PATTERN_SECONDS = 5.0  # for all regular expressions of one config
MAX_VIRTUAL_TOKENS = 512  # of an upload: they are read before every prompt
MAX_UNDOING_MULTIPLICATIONS = 2e11  # of the factorizations that PiSSA and OLoRA begin with
MAX_EVA_READS = 64  # batches, until the directions that EVA begins with stay
MAX_ADAPTER_NAME = 60

# Low-rank lab
MAX_SWEEP_EXAMPLES = 16  # held-out examples that every edit of an adapter is measured on
MAX_SWEEP_TOKENS = 2048  # of their responses: the base's whole distribution is kept for each

# Sessions
MAX_SESSIONS = 100
MAX_PAGES = 300  # open pages whose small component values gradio remembers
MAX_SESSION_ADAPTERS = 12
MAX_SESSION_RUNS = 40  # that its table shows; a few kilobytes each
MAX_SESSION_BYTES = 700_000_000  # a full fine-tuning of the embedded base, and many small adapters
MAX_ALL_SESSIONS_BYTES = 3_000_000_000
SESSION_IDLE_SECONDS = 2 * 3600
MAX_QUEUE = 100
MAX_COMPARISONS_TOGETHER = TOGETHER  # whose answers are written in one batch
MAX_COMPARING_BYTES = 1_000_000_000  # of their forms of the base, and of the keys and values of all their rows
MAX_ANSWERS_BYTES = 500_000_000  # of the keys and values of those that one comparison writes at once
MAX_TRAININGS_TOGETHER = min(8, TOGETHER)  # a step each in turn; on a GPU all TOGETHER in one pass
LOOKING_SECONDS = 0.25  # at least, of a turn of the trainings, in which their answers are written
MAX_TRAINING_BYTES = 500_000_000  # of what all of them hold; a larger one goes on alone
MAX_SESSION_JOBS = 8  # of one session, running or waiting

# The soft-prompt view
MAX_NEAREST_TOKENS = 10  # shown for each virtual token
MAX_PROJECTED_TOKENS = 2000  # of the vocabulary
MAX_IMPORTANCE_EXAMPLES = 16

# Toy
TOY_SIDES = 2, 512
TOY_STEPS = 500
MAX_TOY_MULTIPLICATIONS = 12_000_000_000  # d x k x r x steps of one fit: about two seconds on two free cores
MAX_TOY_SECONDS = 5.0  # of one fit on cores that are not free
MAX_PICTURE_BYTES = 8_000_000
MAX_PICTURE_PIXELS = 16_000_000  # before it is scaled down
PICTURE_SIDES = 8, 256

# Quantization lab
BLOCKS = 2, 65_536  # numbers that share a scale, where a format lets one choose
MAX_HISTOGRAM_BINS = 512
MAX_TEST_SIDE = 2048  # of a test tensor
MAX_OWN_NUMBERS = 100_000
MAX_OWN_NUMBERS_BYTES = 2_000_000
MAX_DOT_LENGTH = 262_144  # products of one dot product
MAX_AWARE_STEPS = 500  # of quantization-aware training on a small layer
MAX_CALIBRATION_PROMPTS = 9  # whose activations are looked at together
MAX_CALIBRATION_CHARACTERS = 400  # of each of them
MAX_CALIBRATION_TOKENS = 320  # of each of them in its chat format: what every layer reads of them is kept
MAX_LADDER_INPUTS = 4096  # of one layer: GPTQ inverts a matrix of as many rows and columns
MAX_ROUNDED_PARAMETERS = 700_000_000  # of a base that every linear layer of is rounded in turn, into tensors of its own
MAX_TENSOR_NUMBERS = 2**21  # of one tensor; of a larger one some rows are looked at
