"""
The named endpoints through gradio_client, on the real base.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from peft import PeftModel
from safetensors.torch import load, save

from playground.adapt.methods import FRONT, METHODS
from playground.adapt.tasks import TASK_IDS
from playground.formats.registry import FORMATS
from playground.model.bases import Base

BASE = "smollm2-135m"


def test_the_design_s_endpoints_and_no_others_are_public(anybody: Client) -> None:
    named = anybody.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {
        "/bases", "/methods", "/tasks", "/adapters", "/count_parameters", "/train", "/compare", "/download_adapter",
        "/upload_adapter", "/low_rank", "/truncate", "/soft_prompt", "/formats", "/anatomy", "/quantize", "/accumulate",
        "/survey", "/ladder", "/prune", "/stop", "/race", "/answers", "/score", "/leaderboard", "/mix", "/session",
        "/examples", "/examine_base", "/load_base", "/fetch_adapter",
        "/plan_gpu_job", "/run_gpu_job", "/follow_gpu_job", "/fetch_gpu_job",
    }  # fmt: skip


def test_lists_walk_the_registries(anybody: Client) -> None:
    assert [one["id"] for one in anybody.predict(api_name="/methods")] == list(METHODS)
    assert [one["id"] for one in anybody.predict(api_name="/tasks")] == list(TASK_IDS)
    bases = {one["id"]: one for one in anybody.predict(api_name="/bases")}
    assert bases[BASE] == {
        "id": BASE, "name": "SmolLM2-135M-Instruct", "parameters": 134_515_008, "source": "embedded", "loaded": True,
    }  # fmt: skip
    lora = next(one for one in anybody.predict(api_name="/methods") if one["id"] == "lora")
    assert lora["hyperparameters"]["rank"] == {"default": 8, "minimum": 1, "maximum": 64}


def test_ready_made_adapters_cover_three_methods_on_three_tasks(anybody: Client) -> None:
    found = {(one["task"], one["method"]) for one in anybody.predict(api_name="/adapters")}
    assert found >= {
        (task, method) for task in ("pirate", "sentiment", "json") for method in ("prompt_tuning", "lora", "ia3")
    }


def test_counting_needs_no_training(anybody: Client) -> None:
    count = anybody.predict(BASE, "lora", {"rank": 8}, api_name="/count_parameters")
    assert count["trainable"] == 460_800
    assert count["total"] == 134_975_808
    assert count["bytes"] == 1_843_200


@pytest.mark.timeout(400)
def test_train_compare_download_and_upload_again(client: Client, url: str, base: Base, tmp_path: Path) -> None:
    events = list(client.submit(BASE, "lora", "pirate", {"rank": 4}, 2, 3, api_name="/train"))
    assert [one["event"] for one in events] == [
        "started", "evaluation", "sample", "step", "evaluation", "step", "evaluation", "sample", "finished",
    ]  # fmt: skip
    trained = events[-1]["adapter"]
    assert trained["trainable_parameters"] == events[0]["trainable_parameters"] == 230_400
    assert trained in client.predict(api_name="/adapters")

    *_, last = client.submit(BASE, "What is 2 + 2?", ["base", trained["id"]], 8, 0.0, 0, api_name="/compare")
    plain, tuned = last["panes"]
    assert (plain["adapter"], tuned["adapter"]) == ("base", trained["id"])
    assert plain["weights_untouched"] is True
    assert tuned["kl_from_base"] > 0
    assert tuned["tokens_per_second"] > 0
    assert {"first_divergence", "top_tokens", "percent", "bytes"} <= set(tuned)

    archive = client.predict(trained["id"], api_name="/download_adapter")
    zipfile.ZipFile(archive).extractall(tmp_path)
    config: Any = PeftModel.from_pretrained(base.view(), tmp_path).peft_config["default"]
    assert config.r == 4

    other = Client(url, verbose=False)
    assert trained["id"] not in [one["id"] for one in other.predict(api_name="/adapters")]
    uploaded = other.predict(handle_file(archive), BASE, api_name="/upload_adapter")
    assert uploaded["trainable_parameters"] == 230_400
    *_, again = other.submit(BASE, "What is 2 + 2?", [uploaded["id"]], 8, 0.0, 0, api_name="/compare")
    assert again["panes"][0]["text"] == tuned["text"]


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_a_race_of_two_settings_ends_with_its_table_and_both_adapters(client: Client) -> None:
    racers: list[Any] = ["ia3", {"method": "lora", "hyperparameters": {"rank": 2}}]
    *events, last = client.submit(BASE, "sentiment", racers, 2, 3, api_name="/race")
    for number in (1, 2):
        told = [one["event"] for one in events if one["racer"] == number]
        assert list(dict.fromkeys(told)) == ["started", "evaluation", "sample", "step", "answers", "score", "finished"]
    assert last["event"] == "race"
    assert [row["trainable_parameters"] for row in last["racers"]] == [57_600, 115_200]
    assert all(0 <= row["score"] <= 1 and row["seconds"] > 0 and row["error"] is None for row in last["racers"])
    assert last["best"]
    mine = [one["id"] for one in client.predict(api_name="/adapters") if one["own"]]
    assert sorted(mine) == sorted(row["adapter"] for row in last["racers"])
    board = client.predict(api_name="/leaderboard")
    measured = [one["method"] for one in board["methods"]]
    assert sorted([*measured, *board["missing"]]) == sorted(["base", *FRONT])
    assert sorted([board["best"], *board["near"], *board["below"]]) == sorted(measured)
    assert board["own"] == []  # another task's


def test_the_spectrum_of_a_ready_made_adapter(anybody: Client) -> None:
    found = anybody.predict("pirate-lora", api_name="/low_rank")
    assert found["rank"] == len(found["singular_values"]) == 8
    assert found["singular_values"] == sorted(found["singular_values"], reverse=True)
    assert found["energy"][-1] == pytest.approx(1)
    assert found["frobenius_update"] ** 2 == pytest.approx(sum(value**2 for value in found["singular_values"]))
    assert 1 < found["effective_rank"] < 8
    other = anybody.predict("pirate-lora", "model.layers.3.self_attn.q_proj", api_name="/low_rank")
    assert other["shape"] == [576, 576]
    assert other["relative"] < found["relative"]  # the empty module means the most changed one


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_truncating_reaches_from_the_adapter_to_the_base(client: Client) -> None:
    *_, whole = client.submit("pirate-lora", "What is 2 + 2?", 8, max_new_tokens=8, api_name="/truncate")
    base, adapter, left = whole["panes"]
    assert left["text"] == adapter["text"] != base["text"]
    assert whole["effects"]["left"] == whole["effects"]["whole"]
    *_, none = client.submit("pirate-lora", "What is 2 + 2?", 0, max_new_tokens=8, api_name="/truncate")
    base, adapter, left = none["panes"]
    assert left["text"] == base["text"]
    assert none["effects"]["left"]["held_out_loss"] == pytest.approx(none["effects"]["base"]["held_out_loss"], rel=1e-5)
    assert none["effects"]["whole"]["held_out_loss"] < none["effects"]["base"]["held_out_loss"]


def test_a_mix_is_an_adapter_for_every_other_endpoint(client: Client) -> None:
    made = client.predict(["pirate-lora", "pirate-lora-rank-2"], [1, -0.5], api_name="/mix")
    assert made["distance"] < 1e-4  # cat is the sum
    assert len(made["interference"]) == 60
    assert (made["adapter"]["name"], made["adapter"]["mixed"]) == ("lora pirate 1 + lora pirate −0.5 · concatenation", True)
    assert client.predict(made["adapter"]["id"], api_name="/low_rank")["rank"] == 10


@pytest.mark.thorough
@pytest.mark.timeout(400)
def test_an_adapter_that_overflows_says_so_and_spoils_nobody_s_answer(client: Client, tmp_path: Path) -> None:
    """Everything that it is asked for comes as JSON without NaN or Infinity, or as a sentence."""
    archive = client.predict("pirate-lora", api_name="/download_adapter")
    large = tmp_path / "large.zip"
    with zipfile.ZipFile(archive) as read, zipfile.ZipFile(large, "w") as written:
        for name in read.namelist():
            content = read.read(name)
            if name.endswith(".safetensors"):
                content = save({key: 1e20 * tensor for key, tensor in load(content).items()})
            written.writestr(name, content)
    sick = client.predict(handle_file(large), BASE, api_name="/upload_adapter")["id"]
    *_, alone = client.submit(BASE, "What is 2 + 2?", ["base", "pirate-ia3"], 6, api_name="/compare")
    *_, last = client.submit(BASE, "What is 2 + 2?", ["base", sick, "pirate-ia3"], 6, api_name="/compare")
    base, overflowing, healthy = last["panes"]
    assert (overflowing["finish_reason"], overflowing["kl_from_base"], overflowing["top_tokens"]) == ("overflow", None, [])
    assert [one["text"] for one in (base, healthy)] == [one["text"] for one in alone["panes"]]
    *_, cut = client.submit(sick, "What is 2 + 2?", 1, max_new_tokens=4, api_name="/truncate")
    assert [pane["finish_reason"] == "overflow" for pane in cut["panes"]] == [False, True, True]
    assert cut["effects"] is None or cut["effects"]["whole"] == {"held_out_loss": None, "kl_from_base": None}
    found = client.predict(sick, api_name="/low_rank")
    assert found["relative"] > 1e30
    json.dumps([last, cut, found], allow_nan=False)


def test_many_answers_are_those_of_comparisons_with_their_seeds(client: Client) -> None:
    asked = (BASE, "What is the capital of France?", ["base", "pirate-ia3"])
    *frames, last = client.submit(*asked, 2, 6, seed=3, api_name="/answers")
    *_, once = client.submit(*asked, 6, 0.7, 4, api_name="/compare")
    assert [[one["seed"] for one in pane["answers"]] for pane in last["panes"]] == [[3, 4], [3, 4]]
    assert [pane["answers"][1]["text"] for pane in last["panes"]] == [pane["text"] for pane in once["panes"]]
    assert (last["task"], last["finished"], len(last["verdicts"])) == ("pirate", True, 1)
    written = [sum(len(pane["answers"]) for pane in frame["panes"]) for frame in frames]
    assert written == sorted(set(written)) or written[-2:] == [4, 4]


def test_a_soft_prompt_in_numbers(anybody: Client) -> None:
    found = anybody.predict("pirate-prompt_tuning", 2, api_name="/soft_prompt")
    assert [token["position"] for token in found["tokens"]] == list(range(1, 21))
    assert all(len(token["nearest"]) == 2 for token in found["tokens"])
    assert all(token["start_nearest"][0]["cosine"] == pytest.approx(1, abs=1e-5) for token in found["tokens"])


def test_a_pane_has_its_score_with_the_answers_behind_it(anybody: Client) -> None:
    found = {one: anybody.predict(BASE, one, "json", api_name="/score") for one in ("base", "few_shot")}
    for pane, one in found.items():
        assert (one["pane"], one["task"], one["questions"]) == (pane, "json", 16)
        assert one["score"] == pytest.approx(sum(each["score"] for each in one["examples"]) / 16)
        assert one["right"] == sum(each["score"] == 1 for each in one["examples"])
    assert found["few_shot"]["score"] > found["base"]["score"]
    assert found["few_shot"]["held_out_loss"] < found["base"]["held_out_loss"]


@pytest.mark.thorough
def test_own_examples_are_read_trained_on_and_scored(client: Client) -> None:
    turns = [[("user", f"Number {n}?"), ("assistant", "odd" if n % 2 else "even")] for n in range(10)]
    rows = [{"messages": [{"role": role, "content": said} for role, said in one]} for one in turns]
    own = {"rows": [*rows, {"messages": []}], "split": "last", "held_out": 3, "scorer": "exact"}
    read = client.predict(BASE, own, api_name="/examples")
    assert (read["pairs"], read["train"], read["held_out"]) == (10, 7, 3)
    assert read["left_out"] == [{"line": 11, "reason": "no_text"}]
    learned = "".join(one["text"] for one in read["first"][1]["pieces"] if one["learned"])
    assert learned == "odd<|im_end|>"
    first, *_, last = client.submit(BASE, "ia3", "own", steps=1, score=True, own=own, api_name="/train")
    assert first == read
    assert (last["event"], last["questions"]) == ("score", 3)
    assert [one["expected"] for one in last["examples"]] == ["odd", "even", "odd"]


@pytest.mark.parametrize(
    ("arguments", "endpoint", "said"),
    [
        ((BASE, " ", ["base"], 8, 0.0, 0), "/compare", "There is no question yet"),
        ((BASE, "Hi", [], 8, 0.0, 0), "/compare", "between 1 and 6 panes"),
        ((BASE, "Hi", ["base"], 100_000, 0.0, 0), "/compare", "max_new_tokens must be between 1 and 256"),
        ((BASE, "Hi", ["nobody"], 8, 0.0, 0), "/compare", "no adapter “nobody”"),
        ((BASE, "Hi", ["base"], 8, 6, 0.0), "/answers", "At temperature 0 all 8 answers would be the same"),
        (("gpt-9", "Hi", ["base"], 8, 0.0, 0), "/compare", "no base model “gpt-9”"),
        ((BASE, "lora", "pirate", {"rank": 1000}, 2, 0), "/train", "rank must be between 1 and 64"),
        ((BASE, "lora", "pirate", {"speed": 1}, 2, 0), "/train", "no hyperparameter speed"),
        ((BASE, "lora", "pirate", {}, 10_000, 0), "/train", "steps must be between 1 and 300"),
        ((BASE, "magic", "pirate", {}, 2, 0), "/train", "no method “magic”"),
        ((BASE, "lora", "juggling", {}, 2, 0), "/train", "no task “juggling”"),
        ((BASE, {"rows": [["a", "b"]], "file": "/etc/passwd"}), "/examples", "no field file"),
        ((BASE, {"pasted": "id\ttitle\tlabel\n1\ta\tb\n"}), "/examples", "cannot be told from: id, title, label"),
        ((BASE, {"dataset": "me/data"}), "/examples", "works offline"),
        ((BASE, "lora", "own"), "/train", "Between 8 and 512"),
        ((BASE, "lora", {"rank": "eight"}), "/count_parameters", "rank must be of type int"),
        ((BASE, "pirate", ["lora"]), "/race", "2 to 6 racers, not 1"),
        ((BASE, "pirate", ["lora", "ia3"] * 4), "/race", "2 to 6 racers, not 8"),
        ((BASE, "pirate", ["lora", "magic"]), "/race", "no method “magic”"),
        ((BASE, "pirate", ["lora", "lora"]), "/race", "twice with the same settings"),
        ((BASE, "pirate", ["lora", 7]), "/race", "not “7”"),
        ((BASE, "pirate", ["lora", "few_shot"]), "/race", "trains nothing"),
        ((BASE, "pirate", ["lora", "ia3"], 1000), "/race", "steps must be between 1 and 300"),
        ((BASE, "nobody", "pirate"), "/score", "no adapter “nobody”"),
        ((BASE, "base", "juggling"), "/score", "no task “juggling”"),
        ((BASE, "base", "own"), "/score", "your own examples"),
        (("juggling",), "/leaderboard", "no task “juggling”"),
        (("nobody",), "/download_adapter", "no adapter “nobody”"),
        (("pirate-prompt_tuning",), "/low_rank", "changes no weight"),
        (("pirate-ia3",), "/low_rank", "has no factors"),
        (("pirate-lora", "model.layers.99.q_proj"), "/low_rank", "did not change a module"),
        (("pirate-lora", "Hi", 9), "/truncate", "rank must be between 0 and 8"),
        (("pirate-lora", "Hi", 3, 5.0), "/truncate", "strength must be between -1.0 and 2.0"),
        (("pirate-lora", "Hi", 3, 1.0, [4, 40]), "/truncate", "between 0 and 29"),
        (("pirate-lora", "Hi", 3, 1.0, [], ["o_proj"]), "/truncate", "q_proj, v_proj"),
        (("pirate-lora",), "/soft_prompt", "prompt"),
        ((["pirate-lora"], [1]), "/mix", "2 to 4 adapters, not of 1"),
        ((["pirate-lora", "pirate-ia3"], [1, 1]), "/mix", "IA3 does not add a product"),
        ((["pirate-lora", "pirate-qlora"], [1, 1]), "/mix", "same number format"),
        ((["pirate-lora", "pirate-lora-rank-2"], [1, 1], "linear"), "/mix", "here they are 8, 2"),
    ],
)
def test_what_cannot_be_served_is_explained(anybody: Client, arguments: tuple, endpoint: str, said: str) -> None:
    with pytest.raises(AppError, match=said):
        anybody.predict(*arguments, api_name=endpoint)


def test_errors_come_in_the_language_of_the_request(url: str) -> None:
    spanish = Client(url, verbose=False, headers={"Accept-Language": "es-ES,es;q=0.9"})
    with pytest.raises(AppError, match="Aún no hay pregunta"):
        spanish.predict(BASE, "", ["base"], 8, 0.0, 0, api_name="/compare")


def test_a_zip_that_is_none_is_refused(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "adapter.zip"
    path.write_text("not a zip")
    with pytest.raises(AppError, match="cannot be read"):
        client.predict(handle_file(path), BASE, api_name="/upload_adapter")


def test_formats_walk_the_registry(anybody: Client) -> None:
    found = {one["id"]: one for one in anybody.predict(api_name="/formats")}
    assert list(found) == list(FORMATS)
    assert (found["nf4"]["bits_per_parameter"], round(found["nf4_double"]["bits_per_parameter"], 3)) == (4.5, 4.127)
    assert (found["int8"]["accumulates_in"], found["bfloat16"]["accumulates_in"]) == ("int32", "float32")


def test_quantizing_a_module_of_the_base(anybody: Client, base: Base) -> None:
    found = {one["format"]: one for one in anybody.predict(BASE, formats=["int8", "nf4"], api_name="/quantize")}
    assert list(found) == ["int8", "nf4"]
    module = found["nf4"]["module"]
    assert "mlp" in module
    weight = base.model.get_submodule(module).weight
    packed, state = quantize_4bit(weight.reshape(1, -1), blocksize=64, quant_type="nf4")
    off = dequantize_4bit(packed, state).view_as(weight) - weight
    assert found["nf4"]["mae"] == pytest.approx(off.abs().mean().item())
    assert found["nf4"]["max_error"] == pytest.approx(off.abs().max().item())
    assert found["int8"]["sqnr_db"] > found["nf4"]["sqnr_db"]
    blocks = anybody.predict(BASE, module, ["int8"], "block", 32, api_name="/quantize")
    assert blocks[0]["sqnr_db"] > found["int8"]["sqnr_db"]
    assert blocks[0]["bits_per_parameter"] == 9
    with pytest.raises(AppError, match="nope"):
        anybody.predict(BASE, "nope", api_name="/quantize")


def test_the_course_s_addition_and_its_dot_products(anybody: Client) -> None:
    found = anybody.predict(api_name="/accumulate")
    assert (found["addition"]["exact"], found["addition"]["result"], found["addition"]["overflowed"]) == (254, -2, True)
    dots = {
        one["pair"]: one for one in anybody.predict(127, 127, "int32", "wrap", "ones", 4096, api_name="/accumulate")["dots"]
    }
    assert (dots["float16_float16"]["sum"], dots["float16_float16"]["stall_at"]) == (2048, 2049)
    assert (dots["int8_int32"]["sum"], dots["float16_float32"]["sum"]) == (4096, 4096)
    assert dots["int8_int8"]["overflow_at"] == 128
    with pytest.raises(AppError, match="128"):
        anybody.predict(200, 1, api_name="/accumulate")


@pytest.mark.thorough
def test_a_pruning_before_and_after(client: Client) -> None:
    *_, last = client.submit(BASE, "depth-last", 20, api_name="/prune")
    whole, left = last["rows"]
    assert (last["pruning"], whole["pruning"], left["pruning"]) == ("depth-20-last", "", "depth-20-last")
    assert whole["parameters"] == 134_515_008 > left["parameters"]
    assert left["perplexity"] > whole["perplexity"] > 1
    with pytest.raises(AppError, match="width"):
        client.submit(BASE, "corners-l1", 20, api_name="/prune").result()


def test_one_number_in_one_format(anybody: Client) -> None:
    found = anybody.predict("bfloat16", 0.1, api_name="/anatomy")
    assert (found["sign"], found["exponent"], found["mantissa"]) == ("0", "01111011", "1001101")
    assert found["stored"] == 0.10009765625
    assert anybody.predict("int4", 0.622, api_name="/anatomy")["code"] == 4


@pytest.mark.thorough
def test_a_survey_and_a_pane_in_fewer_bits(client: Client) -> None:
    *_, last = client.submit(BASE, ["nf4"], api_name="/survey")
    plain, nf4 = last
    assert (plain["format"], nf4["format"], nf4["real"], len(nf4["modules"])) == ("float32", "nf4", True, 210)
    assert plain["reading"]["perplexity"] < nf4["reading"]["perplexity"] < 2 * plain["reading"]["perplexity"]
    assert nf4["memory"] < plain["memory"] / 3
    *_, frame = client.submit(BASE, "What is 2 + 2?", ["base", "base:nf4"], 4, api_name="/compare")
    assert [pane["adapter"] for pane in frame["panes"]] == ["base", "base:nf4"]
    assert frame["panes"][1]["kl_from_base"] > 0
    with pytest.raises(AppError, match="int4"):
        client.submit(BASE, "Hi", ["base:int5"], api_name="/compare").result()
