"""Two processes over gloo against one with twice the accumulation: the same losses, one adapter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import FullyShardedDataParallelPlugin
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env
from safetensors.torch import load_file

from newsft.errors import UserError
from newsft.models import distributed
from newsft.recipe import Recipe
from newsft.training.run import run
from tests import programs

ROOT = Path(__file__).parents[2]
SETTINGS = "--lora-dropout 0 --max-steps 3 --log-every 1 --eval-rows 2 --save-every 50 --sampling random".split()


def train(launcher: list[str], *flags: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, "train.py", *SETTINGS, *flags],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def test_two_processes_train_as_one_with_twice_the_accumulation(rows, tmp_path):
    data = tmp_path / "rows.jsonl"
    short = sorted(rows, key=lambda row: len(row["user_prompt"]))[
        :48
    ]  # the last 24 are trained on, in six or three steps an epoch
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in short), encoding="utf-8")
    two = train(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"],
        "--data",
        str(data),
        "--output",
        str(tmp_path / "two"),
    )
    one = programs.run("train.py", *SETTINGS, "--data", data, "--output", tmp_path / "one", "--accumulation", 4)
    assert one.returncode == 0, one.stderr[-3000:]
    assert "rows 24, steps 3" in one.stdout and two.stdout.count("rows 24, steps 3") == 1  # told once
    runs = [json.loads((tmp_path / name / "run.json").read_text(encoding="utf-8")) for name in ("one", "two")]
    for kind in ("history", "validation"):
        losses = [[entry["loss"] for entry in run[kind]] for run in runs]
        assert len(losses[0]) >= 2 and losses[1] == pytest.approx(losses[0], abs=1e-4)
    weights = [load_file(tmp_path / name / "adapter_model.safetensors") for name in ("one", "two")]
    assert max((weights[1][name] - weight).abs().max() for name, weight in weights[0].items()) < 2e-3
    assert any(weight.any() for name, weight in weights[0].items() if "lora_B" in name)
    assert not torch.distributed.is_initialized()


def launch(config: str) -> dict[str, str]:
    """The environment that `accelerate launch` gives to the processes that it starts with a shipped configuration."""
    flags = [
        "--config_file",
        str(ROOT / "assets" / "accelerate" / config),
        "--num_processes",
        "4",
        "train.py",
        "--recipe",
        "varco",
    ]
    arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(flags))
    assert (arguments.num_processes, arguments.training_script) == (4, "train.py")
    return prepare_multi_gpu_env(arguments)


def test_accelerate_reads_the_shipped_configurations(monkeypatch):
    assert launch("ddp.yaml").get("ACCELERATE_USE_FSDP", "false") == "false"
    for name, value in launch("fsdp2.yaml").items():
        monkeypatch.setenv(name, value)
    assert os.environ["ACCELERATE_USE_FSDP"] == "true"
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward, plugin.state_dict_type.name) == (
        2,
        True,
        "FULL_STATE_DICT",
    )
    assert not plugin.cpu_ram_efficient_loading and not plugin.activation_checkpointing


def test_steps_are_divided_among_the_processes():
    assert [Recipe().steps(496, processes=count) for count in (1, 2, 4)] == [372, 186, 93]


def test_fsdp_without_a_gpu_and_one_process_in_the_place_of_several_are_told(monkeypatch):
    for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_CPU", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert distributed.describe_fallback(gpus=0) is None
    monkeypatch.setenv("ACCELERATE_USE_FSDP", launch("fsdp2.yaml")["ACCELERATE_USE_FSDP"])
    assert (
        "there is none here" in distributed.describe_fallback(gpus=0) and distributed.describe_fallback(gpus=2) is None
    )
    told: list[str] = []
    with pytest.raises(UserError):  # stops at the data, behind the start
        run(Recipe(data="missing.jsonl"), check=None, write_card=None, tell=told.append)
    assert torch.cuda.is_available() or any("there is none here" in line for line in told)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "false")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert "torchrun" in distributed.describe_fallback(gpus=0)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert distributed.describe_fallback(gpus=0) is None
