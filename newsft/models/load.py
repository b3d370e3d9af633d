"""Load tokenizer, base model and adapter from a local folder or the hub, and say which base an adapter belongs to."""

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel
from peft.utils import CONFIG_NAME
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedModel

from newsft.compat import attention_of
from newsft.encoding.chat import ChatFormat
from newsft.errors import UserError
from newsft.fingerprints import fingerprint_model, fingerprint_template
from newsft.models import adapter_files, distributed, memory
from newsft.models.adapter_info import AdapterInfo, name_adapters
from newsft.models.hub import find_files
from newsft.models.run_record import read_run, template_day
from newsft.paths import public_path, short_path

ADAPTER = "default"  # PEFT's name for the one adapter that is loaded
TEKKEN = "tekken.json"  # Mistral's own form of a tokenizer
BASE = "__base__"  # PEFT's name for "no adapter" in a mixed batch
ADAPTER_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    RuntimeError,
    SafetensorError,
)  # what PEFT raises for weights that do not fit


@dataclass
class Loaded:
    """A chat format and a model that belong together; once an adapter is added, the model is a PeftModel, which can answer with it and without."""

    chat: ChatFormat
    model: PreTrainedModel | PeftModel
    source: str
    fingerprint: str
    adapters: tuple[AdapterInfo, ...] = ()  # the first is the one that the others below are said of
    steps: tuple[int, ...] = ()  # of the training, whose adapters are loaded too; the last is the adapter itself

    @property
    def run(self) -> dict | None:
        """What training wrote beside the adapter."""
        return self.adapters[0].run if self.adapters else None

    @property
    def adapter_fingerprint(self) -> str | None:
        return self.adapters[0].fingerprint if self.adapters else None

    @property
    def device(self) -> torch.device:
        return self.model.device

    def describe(self) -> str:
        """One line for the log: what was loaded, as what, where, and what it takes of the memory."""
        weights, free = self.model.get_memory_footprint(), memory.free_bytes(self.device.type)
        kind = (
            "4-bit" if getattr(self.model, "is_loaded_in_4bit", False) else str(self.model.dtype).removeprefix("torch.")
        )
        return f"model {short_path(self.source)}: {kind} on {self.device.type}, attention {attention_of(self.model.config)}, {weights / memory.GB:.2f} GB, {free / memory.GB:.1f} GB are free"


def choose_device() -> tuple[str, torch.dtype]:
    """The device and dtype by hardware: bf16 on a GPU that has it, fp16 on an older one, fp32 on a CPU.

    bf16 on a CPU without units for it is several hundred times slower than fp32.
    """
    if torch.cuda.is_available():
        if (
            distributed.count() > 1
        ):  # for one process it would only start CUDA, which on ZeroGPU the page's own process must not do
            torch.cuda.set_device(distributed.local_number())
        return "cuda", torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return "cpu", torch.float32


def load_chat(folder: Path) -> ChatFormat:
    """The folder's tokenizer with its chat template; UserError where there is none."""
    if (folder / TEKKEN).exists() and not (folder / "tokenizer.json").exists():
        raise UserError(
            f"{folder} has its tokenizer as {TEKKEN} alone, which only Mistral's own library reads; use a copy of the model that ships tokenizer.json and a chat template."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise UserError(
            f"{folder} has no readable tokenizer ({_first_line(error)}); it needs tokenizer.json and tokenizer_config.json."
        ) from error
    return ChatFormat(tokenizer)


def load_base(source: str, *, quantize: str = "none", attention: str = "auto", on_cpu: bool = False) -> Loaded:
    """Tokenizer and base model in evaluation mode, on the device that is there or `on_cpu`. Safetensors only: pickles can run code.

    `quantize` and `attention` are the recipe's settings. Raises UserError where the memory does not suffice, before loading.
    """
    folder = find_files(source)
    if (
        folder / CONFIG_NAME
    ).exists():  # transformers would load the adapter's base and the adapter into it: "base" would be the tuned model
        raise UserError(
            f"{folder} holds an adapter, expected was a base model; give the adapter with --adapter and its base with --model."
        )
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder} holds no *.safetensors weights; pickle weights are not loaded. Convert the model with save_pretrained()."
        )
    chat = load_chat(folder)
    device, dtype = ("cpu", torch.float32) if on_cpu else choose_device()
    settings: dict = {"dtype": dtype, "use_safetensors": True}
    if attention != "auto":
        settings["attn_implementation"] = attention
    if quantize == "4bit":
        settings |= {"quantization_config": _four_bits(dtype), "device_map": {"": device}}
    try:
        _check_memory(source, folder, device=device, dtype=dtype, quantize=quantize)
        model = AutoModelForCausalLM.from_pretrained(folder, **settings)
    except ImportError as error:  # flash attention
        raise UserError(f"--attention {attention} cannot be used here: {_first_line(error)}; use auto.") from error
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"The model in {folder} could not be loaded: {_first_line(error)}. Download or copy it again."
        ) from error
    return Loaded(
        chat, (model if quantize == "4bit" else model.to(device)).eval(), str(source), fingerprint_model(folder)
    )


def _four_bits(dtype: torch.dtype) -> BitsAndBytesConfig:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UserError("--quantize 4bit needs the package bitsandbytes; install it with: pip install bitsandbytes")
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


def _check_memory(source: str, folder: Path, *, device: str, dtype: torch.dtype, quantize: str) -> None:
    needed, free = memory.estimate_weights(folder, dtype=dtype, quantize=quantize).weights, memory.free_bytes(device)
    if needed <= free:
        return
    where = "the GPU" if device == "cuda" else "this machine"
    small = memory.estimate_weights(folder, dtype=dtype, quantize="4bit").weights
    remedy = "use a GPU with more memory, or --recipe mini"
    if quantize == "none" and small <= free:
        remedy = f"with --quantize 4bit they would take {small / memory.GB:.1f} GB"
    raise UserError(
        f"The weights of {source} take {needed / memory.GB:.1f} GB, and {free / memory.GB:.1f} GB are free on {where}; {remedy}.",
        key="no_memory",
        name=public_path(source),
        needed=needed / memory.GB,
        free=free / memory.GB,
    )


@dataclass(frozen=True)
class CheckedAdapter:
    """An adapter's folder that holds what a base takes; nothing of it is loaded yet."""

    source: str
    folder: Path
    config: PeftConfig
    run: dict | None

    def describe(self, name: str, side: str, *, listed: bool = True) -> AdapterInfo:
        """What a reader is told of it under this name."""
        targets = self.config.target_modules or ()  # a set of names, or one pattern
        targets = targets if isinstance(targets, str) else " ".join(sorted(targets))
        settings = {"r": self.config.r, "alpha": self.config.lora_alpha, "targets": targets}
        recipe = (self.run or {}).get("recipe", {})
        known = {key: recipe[key] for key in ("learning_rate", "epochs") if key in recipe}
        steps = {"steps": self.run["steps"]} if self.run and "steps" in self.run else {}
        fingerprint = fingerprint_model(self.folder, config=CONFIG_NAME)
        return AdapterInfo(name, side, fingerprint, self.run, settings | known | steps, listed)


def check_adapter(base: Loaded, source: str) -> CheckedAdapter:
    """The adapter of `source`, read as far as needed to know that it fits.

    Raises UserError for what is no LoRA adapter in safetensors and for one that was trained on another base: PEFT would load
    the weights of any base of the same shape without a word, and of one with fewer layers too.
    """
    folder = find_files(source, what="adapter")
    config = adapter_files.read_config(folder)
    run = read_run(folder)
    if run is not None:
        _check_belongs(run, base, source)
    adapter_files.check_weights(folder, config, base.model.config, base=base.source)
    return CheckedAdapter(source, folder, config, run)


def add_adapter(base: Loaded, source: str, *, name: str | None = None) -> Loaded:
    """`base` with the adapter of `source` attached (weights stay apart, so one copy answers both ways), under its folder's name or `name`.

    Raises UserError as `check_adapter` does.
    """
    checked = check_adapter(base, source)
    # Without a device PEFT takes a GPU where there is one, wherever the base is.
    settings = {"adapter_name": ADAPTER, "torch_device": base.device.type}
    try:
        model = PeftModel.from_pretrained(base.model, checked.folder, **settings)
    except ADAPTER_ERRORS as error:
        raise _misfit(base, source, error) from error
    info = checked.describe(name or name_adapters([source])[0], "tuned")
    return replace(base, chat=on_day_of(base.chat, checked.run), model=model.eval(), adapters=(info,))


def attach_adapter(loaded: Loaded, checked: CheckedAdapter, side: str) -> None:
    """Add one more adapter to a model that has one; PEFT calls it by its side. Not while the model runs.

    Raises UserError where PEFT refuses it; the model is then as before.
    """
    try:
        loaded.model.load_adapter(checked.folder, adapter_name=side, torch_device=loaded.device.type)
    except ADAPTER_ERRORS as error:
        if side in loaded.model.peft_config:
            loaded.model.delete_adapter(side)
        raise _misfit(loaded, checked.source, error) from error
    loaded.model.eval()


def _misfit(base: Loaded, source: str, error: Exception) -> UserError:
    return UserError(f"The adapter {source} does not fit the base model {base.source}: {_first_line(error)}")


def on_day_of(chat: ChatFormat, run: dict | None) -> ChatFormat:
    """The chat format with the date that a run's rows had: prompts of another day would begin no row."""
    day = template_day(run or {})
    return chat if day is None or day == chat.day else chat.on_day(day)


def _check_belongs(run: dict, base: Loaded, source: str) -> None:
    if run["base_fingerprint"] != base.fingerprint:
        raise UserError(
            f"The adapter {source} was trained on another base model ({run['recipe']['model']}, weights, config and tokenizer {run['base_fingerprint']}) "
            f"than the one loaded ({base.source}, {base.fingerprint}); load that base with --model, or train an adapter for this one."
        )
    template = fingerprint_template(base.chat.template)
    if run.get("template_fingerprint", template) != template:  # adapters of earlier versions do not say
        raise UserError(
            f"The adapter {source} was trained with another chat template than that of {base.source}; bring back the base's own chat template, or train an adapter with this one."
        )


def stop_ids(chat: ChatFormat, model: PreTrainedModel | PeftModel) -> dict[int, list[str]]:
    """Every token id that ends an answer, with where it comes from.

    VARCO's config says 128001 while its turns end with 128009; left to the config alone, generation runs to the limit.
    """
    sources = {"template": chat.end_id, "tokenizer": chat.tokenizer.eos_token_id, "config": model.config.eos_token_id}
    if model.generation_config is not None:
        sources["generation_config"] = model.generation_config.eos_token_id
    found: dict[int, list[str]] = {}
    for name, ids in sources.items():
        for token in ids if isinstance(ids, list) else [ids]:
            if token is not None:
                found.setdefault(token, []).append(name)
    return found


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:300]
