"""A data set of the hub, read by huggingface_hub's own client from a small hub on the loopback address."""

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pyarrow as pa
import pytest
from huggingface_hub import constants
from huggingface_hub.utils._http import close_session
from pyarrow import parquet

from playground import settings
from playground.data import reading, tables
from playground.data.given import Given
from playground.errors import PlaygroundError
from tests.data.hub import hub

PAIRS = [(f"question {n}", f"answer {n}") for n in range(10)]
LINES = "".join(json.dumps({"prompt": p, "response": r}) + "\n" for p, r in PAIRS).encode()


def parquet_of(columns: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, **options)
    return out.getvalue()


TALK = [[{"role": "user", "content": p}, {"role": "assistant", "content": r}] for p, r in PAIRS]
LONG = {"prompt": [f"{n} {'x' * 900} {n}" for n in range(40_000)], "response": ["y"] * 40_000}
SETS: dict[str, dict[str, bytes]] = {
    "me/lines": {"README.md": b"# Lines", "data.jsonl": LINES},
    "me/splits": {"data/test.csv": b"prompt,response\nx,y\n", "data/train.csv": b"prompt,response\na,b\n", "z.jsonl": LINES},
    "me/chat": {"data/train-00000-of-00001.parquet": parquet_of({"messages": TALK})},
    "me/big": {"data/train.parquet": parquet_of(LONG, compression="none", row_group_size=1000)},
    "me/long": {"train.csv": b"prompt,response\n" + b"".join(b"q%d,%s\n" % (n, b"a" * 90) for n in range(60_000))},
    "me/list": {"train.json": b"[" + b" " * settings.MAX_OWN_BYTES + b"]"},
    "me/pictures": {"a.png": b"", "README.md": b""},
    "me/gated": {"data.jsonl": LINES},
}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, list[str]]]:
    with hub(SETS) as found:
        yield found


@pytest.fixture
def asked(served: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The requests that the hub has had; what HF_ENDPOINT and HF_HUB_OFFLINE would have set."""
    monkeypatch.setattr(constants, "ENDPOINT", served[0])
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", served[0] + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    reading._of_hub.cache_clear()
    close_session()
    served[1].clear()
    yield served[1]
    close_session()


def pairs_of(dataset: str, **asked: Any) -> list[tuple[str, str]]:
    return [(pair.prompt, pair.response) for pair in tables.read(Given(dataset=dataset, **asked)).pairs]


def refusal(dataset: str) -> PlaygroundError:
    with pytest.raises(PlaygroundError) as refused:
        tables.read(Given(dataset=dataset))
    assert refused.value.message("es") != refused.value.message("en")
    return refused.value


def test_a_data_set_is_read_from_its_file(asked: list[str]) -> None:
    assert pairs_of("me/lines") == pairs_of(" https://huggingface.co/datasets/me/lines/ ") == PAIRS
    assert tables.read(Given(dataset="me/lines")).sheet.part == "data.jsonl"


def test_conversations_in_parquet_are_read(asked: list[str]) -> None:
    assert pairs_of("me/chat") == PAIRS


def test_of_several_files_the_training_data_are_read_unless_another_is_named(asked: list[str]) -> None:
    assert pairs_of("me/splits") == [("a", "b")]
    assert pairs_of("me/splits/data/test.csv") == [("x", "y")]
    assert pairs_of("me/splits/z.jsonl") == PAIRS


def test_of_a_large_file_only_the_beginning_is_fetched(asked: list[str]) -> None:
    table = tables.read(Given(dataset="me/big"))
    assert (len(table.pairs), table.sheet.more) == (settings.MAX_OWN_EXAMPLES, True)
    ranges = [one.rsplit("bytes=", 1)[1].split("-") for one in asked if "bytes=" in one]
    fetched = sum(int(last) - int(first) for first, last in ranges)
    assert 0 < fetched < len(SETS["me/big"]["data/train.parquet"]) / 2


def test_a_long_text_ends_with_a_whole_line(asked: list[str]) -> None:
    table = tables.read(Given(dataset="me/long"))
    assert table.sheet.more
    assert {one.reason for one in table.left_out} == {"many"}


def test_a_form_that_is_read_again_fetches_nothing_again(asked: list[str]) -> None:
    pairs_of("me/lines")
    before = len(asked)
    pairs_of("me/lines", prompt="response", response="prompt", scorer="exact", held_out=4)
    assert [one for one in asked[before:] if "resolve" in one] == []


def test_nobody_s_token_is_sent(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    sent: list[Any] = []
    send = httpx2.Client.send

    def noted(self: Any, one: Any, **more: Any) -> Any:
        sent.append(one)
        return send(self, one, **more)

    monkeypatch.setattr(httpx2.Client, "send", noted)
    pairs_of("me/lines")
    assert sent
    assert not any("authorization" in one.headers for one in sent)


@pytest.mark.parametrize(
    ("dataset", "key"),
    [
        ("me/nothing", "dataset_missing"),
        ("me/gated", "dataset_gated"),
        ("me/busy", "dataset_limited"),
        ("me/broken", "dataset_unread"),
        ("me/pictures", "dataset_files"),
        ("me/lines/other.jsonl", "dataset_file"),
        ("me/list", "dataset_too_large"),
        ("alone", "dataset_id"),
        ("../../etc/passwd", "dataset_path"),
        ("/tmp/h", "dataset_path"),
        ("~/data/own", "dataset_path"),
        ("me/..", "dataset_id"),
        ("me/li nes", "dataset_id"),
        ("http://127.0.0.1/x", "dataset_id"),
        ("me/-", "dataset_id"),
    ],
)
def test_what_cannot_be_had_is_said_in_words(asked: list[str], dataset: str, key: str) -> None:
    assert refusal(dataset).key == key


def test_without_a_connection_that_is_said(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    close_session()
    assert refusal("me/lines").key == "dataset_offline"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    close_session()
    assert refusal("me/lines").key == "dataset_unread"
