"""The page against a small hub, by HF_ENDPOINT: looked at, loaded, an adapter of the hub, compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from gradio_client import Client

from playground.adapt.adapters import save
from tests.families import tiny_base, trained
from tests.hub import hub_served
from tests.kinds import folder_of_kind
from tests.serving import serving


@pytest.mark.thorough
def test_a_base_and_an_adapter_of_the_hub_are_compared(tmp_path: Path) -> None:
    model = folder_of_kind("llama", tmp_path / "llama")
    adapter, _ = trained(tiny_base("llama"), "lora")
    save(adapter, tmp_path / "lora")
    told = {"PLAYGROUND_LOCAL_BASE": str(model), "PLAYGROUND_BASE": "local", "PLAYGROUND_ANY_BASE": "on"}
    told |= {"HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home"), "PLAYGROUND_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    with hub_served() as hub:
        hub.folders |= {"tiny/llama": model, "tiny/lora": tmp_path / "lora", "tiny/gated": model}
        hub.gated.add("tiny/gated")
        with serving(tmp_path / "log.txt", HF_ENDPOINT=hub.url, **told) as (url, _):
            client = Client(url, verbose=False)
            found = client.predict("tiny/llama", api_name="/examine_base")
            assert found["without"]["methods"]["bitfit"].startswith("This base")
            with pytest.raises(Exception, match="gated"):
                client.predict("tiny/gated", api_name="/load_base")
            *_, last = client.submit("tiny/llama", api_name="/load_base")
            assert (last["id"], last["state"]) == ("tiny/llama", "ready")
            lora = client.predict("tiny/lora", "tiny/llama", api_name="/fetch_adapter")
            *_, frame = client.submit("tiny/llama", "Why?", ["base", lora["id"], "base:nf4"], 4, api_name="/compare")
            assert [pane["finished"] for pane in frame["panes"]] == [True] * 3
            assert "tiny/llama" in [one["id"] for one in client.predict(api_name="/bases")]
            assert "tiny/llama" not in [one["id"] for one in Client(url, verbose=False).predict(api_name="/bases")]
