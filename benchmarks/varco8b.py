"""A checkpoint of VARCO 8B's shape, layout and quirks with random weights: speed and memory do not depend on what the weights know.

python -m benchmarks.varco8b --output work/varco8b        16 GB in four shards; with --hidden 256 --layers 2 a small one for a trial
"""

import json
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.flags import Flags
from newsft.encoding import llama3

HEADS = 32  # four of them share a key and value head, as in Llama 3


def write_checkpoint(
    folder: Path,
    *,
    hidden: int,
    layers: int,
    heads: int = HEADS,
    shard: str,
    dtype: torch.dtype,
    device: str = "cpu",
    seed: int = 0,
) -> Path:
    """Shards with an index, stop id 128001 in the config, pad id 0, no generation config, the template with the trailing header."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=128_256,
        hidden_size=hidden,
        intermediate_size=hidden * 7 // 2,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=max(heads // 4, 1),
        max_position_embeddings=8192,
        rope_theta=500_000.0,
        bos_token_id=128_000,
        eos_token_id=128_001,
        tie_word_embeddings=False,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)
    model.save_pretrained(folder, max_shard_size=shard)
    (folder / "generation_config.json").unlink()
    llama3.load_tokenizer().save_pretrained(folder)
    (folder / "chat_template.jinja").unlink()  # it would be preferred to the settings' own
    settings = folder / "tokenizer_config.json"
    held = json.loads(settings.read_text(encoding="utf-8")) | {"pad_token": "!", "chat_template": llama3.VARCO_TEMPLATE}
    settings.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")
    return folder


def main() -> None:
    """Write it."""
    parser = Flags(__doc__, output=Path("work/varco8b-short"), hidden=256, layers=2)
    parser.add_argument("--output", type=Path, default=Path("work/varco8b"))
    parser.add_argument("--hidden", type=int, default=4096)
    parser.add_argument("--layers", type=int, default=32)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    write_checkpoint(
        arguments.output,
        hidden=arguments.hidden,
        layers=arguments.layers,
        shard="5GB",
        dtype=torch.bfloat16,
        device=device,
    )
    size = sum(path.stat().st_size for path in arguments.output.glob("*.safetensors"))
    print(f"{arguments.output}: {size / 1e9:.1f} GB in {len(list(arguments.output.glob('*.safetensors')))} file(s)")


if __name__ == "__main__":
    main()
