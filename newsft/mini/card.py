"""The base model's card."""

from pathlib import Path

from transformers import LlamaForCausalLM

from newsft.mini.corpus import split_articles
from newsft.mini.events import read_events
from newsft.mini.exercises import MOST_KEYS
from newsft.mini.written import read_written

CARD = Path(__file__).with_name("model_card.md")


def write_card(
    output: Path, model: LlamaForCausalLM, last: dict, *, articles: Path | None, events: Path | None
) -> None:
    """The model card, with the figures of the log's last record."""
    card = CARD.read_text(encoding="utf-8").format(
        millions=f"{model.num_parameters() / 1e6:.1f}",
        layers=model.config.num_hidden_layers,
        width=model.config.hidden_size,
        vocabulary=model.config.vocab_size,
        steps=f"{last['step']:,}",
        tokens=f"{last['tokens'] / 1e6:.1f}",
        articles=f"{len(split_articles(read_written(articles))['base']):,}",
        events=f"{len(read_events(events)):,}",
        most_keys=MOST_KEYS,
    )
    (output / "README.md").write_text(card, encoding="utf-8")
