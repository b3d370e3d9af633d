"""One training run: pre-flight, LoRA and SFT, checkpoints, what is left behind."""
