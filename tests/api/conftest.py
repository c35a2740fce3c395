"""
Clients of the server that the browser tests use too.
"""

from __future__ import annotations

import time

import pytest
from gradio_client import Client

BOUND = 120.0  # seconds after which a base that is not loaded has failed


@pytest.fixture(scope="session")
def url(server: str) -> str:
    """The server's address, once its base is loaded."""
    client, deadline = Client(server, verbose=False), time.monotonic() + BOUND
    while not any(one["loaded"] for one in client.predict(api_name="/bases")):
        assert time.monotonic() < deadline, "the server does not load its base"
        time.sleep(0.2)
    return server


@pytest.fixture(scope="session")
def anybody(url: str) -> Client:
    """A session for what leaves nothing in it."""
    return Client(url, verbose=False)


@pytest.fixture
def client(url: str) -> Client:
    """A session of its own."""
    return Client(url, verbose=False)
