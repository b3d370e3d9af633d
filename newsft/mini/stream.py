"""The endless stream of conversations as micro-batches of token ids, of their weights in the loss and of the auxiliary labels."""

import random
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from newsft.encoding import chat
from newsft.encoding.chat import IGNORED, Encoded, Span
from newsft.encoding.prefix import SHARED, join
from newsft.mini import tasks
from newsft.mini.auxiliary import NO_LABEL, Label, label_tokens
from newsft.mini.schedule import Phase, phase_at
from newsft.mini.slips import take_marks

SEED = 11
LENGTH_STEP = 64  # padded lengths are multiples of this, so that few shapes occur
PADDING = -2  # the owner of padding
RAW_SHARE = 0.08  # documents that are an article alone
DECISIONS = re.compile(r"""(?<=['"]:) \S|(?<=\[['"])\S|['"](?=\]|, ['"])|긍정적|부정적|중립적|없습니다""")
FURTHER = {"ends": re.compile(r"""['"](?=})"""), "keys": re.compile(r"""(?<=, ['"])[a-z_]+(?=['"]:)""")}  # by their name in a phase
MENDED = 10.0  # what the end of a slip weighs: one token of hundreds, and what the answer's form hangs on


class Document(NamedTuple):
    """One document's token ids, what each weighs in the loss, the auxiliary labels, and each token's owner and position (`newsft.prefix`)."""

    ids: list[int]
    weights: list[float]
    labels: list[Label]
    owners: list[int]
    positions: list[int]


class Batch(NamedTuple):
    """Documents padded on the right: `labels` [documents, length, 2], the others [documents, length]."""

    ids: torch.Tensor
    weights: torch.Tensor
    labels: torch.Tensor
    owners: torch.Tensor
    positions: torch.Tensor


class Stream(Dataset):
    """Step -> that step's micro-batches; a step's documents depend on the seed and the step alone, so a run can resume."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, steps: int, tokens: int, micro_tokens: int):
        self.tokenizer, self.steps, self.tokens, self.micro_tokens = tokenizer, steps, tokens, micro_tokens

    def __len__(self) -> int:
        return self.steps

    def _document(self, rng: random.Random, phase: Phase) -> Document:
        if rng.random() < RAW_SHARE and phase.read:
            ids = [self.tokenizer.bos_token_id, *self._ids(tasks.draw_text(rng)), self.tokenizer.convert_tokens_to_ids("<|end_of_text|>")]
            return Document(ids, [0.0] + [phase.read] * (len(ids) - 1), [NO_LABEL] * len(ids), [0] * len(ids), list(range(len(ids))))
        conversations = phase.draw(rng)
        rows, slips = zip(*(self._encode(conversation.messages) for conversation in conversations), strict=True)
        labels = [label_tokens(row, one.effects, self._ids) for row, one in zip(rows, conversations, strict=True)]
        return _join(rows, [_weigh(row, phase, spans, one.effects) for row, spans, one in zip(rows, slips, conversations, strict=True)], labels)

    def _encode(self, messages: list[tasks.Message]) -> tuple[Encoded, list[Span]]:
        """The conversation without its marks, and the characters of its text that are slips."""
        text, slips = take_marks("".join(piece.text for piece in chat.build_pieces(self.tokenizer, messages)))
        row = chat.encode_row(self.tokenizer, [message | {"content": take_marks(message["content"])[0]} for message in messages])
        assert row.text == text
        return row, slips

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def __getitem__(self, step: int) -> list[Batch]:
        rng = random.Random(f"{SEED}-{step}")
        phase = phase_at(step)
        documents: list[Document] = []
        total = 0
        while total < self.tokens:
            documents.append(self._document(rng, phase))
            total += len(documents[-1].ids)
        documents.sort(key=lambda document: (SHARED in document.owners, len(document.ids)))  # joined ones need a mask, the others do without
        batches, batch = [], []
        for document in documents:
            if batch and (_padded(len(document.ids)) * (len(batch) + 1) > self.micro_tokens or (SHARED in document.owners) != (SHARED in batch[0].owners)):
                batches.append(_collate(batch, self.tokenizer.pad_token_id))
                batch = []
            batch.append(document)
        return [*batches, _collate(batch, self.tokenizer.pad_token_id)]


def _weigh(encoded: Encoded, phase: Phase, slips: Sequence[Span] = (), companies: Iterable[str] = ()) -> list[float]:
    patterns = [DECISIONS, *(FURTHER[name] for name in phase.further)]
    decided = {at for pattern in patterns for match in pattern.finditer(encoded.text) for at in range(*match.span())}
    origins = ["", *encoded.origins]
    decided |= {span[0] for span, origin, before in zip(encoded.spans, encoded.origins, origins, strict=False) if origin == "answer" != before}
    named = {at for name in companies for match in re.finditer(re.escape(name), encoded.text) for at in range(*match.span())}
    slipped = {at for slip in slips for at in range(*slip)}
    ended = {end for _, end in slips}

    def weigh_answer(span: Span) -> float:
        characters = set(range(*span))
        if characters <= slipped:
            return 0.0
        if characters & ended:
            return MENDED
        return phase.decided if characters & decided else phase.told * phase.named if characters & named else phase.told

    answered = [weigh_answer(span) for span in encoded.spans]
    kinds = zip(encoded.labels, encoded.origins, answered, strict=True)
    return [weight if label != IGNORED else phase.read if origin == "user" else 0.0 for label, origin, weight in kinds]


def _join(rows: Sequence[Encoded], weights: list[list[float]], labels: list[list[Label]]) -> Document:
    """Conversations that begin alike as one document, their beginning once."""
    if len(rows) == 1:
        length = len(rows[0])
        return Document(rows[0].input_ids, weights[0], labels[0], [0] * length, list(range(length)))
    places = join(rows)
    first = sum(place.owner == SHARED for place in places)  # where each row goes on: its first token has nothing that predicts it
    return Document(
        [rows[max(owner, 0)].input_ids[position] for owner, position in places],
        [0.0 if position == first else weights[max(owner, 0)][position] for owner, position in places],
        [labels[max(owner, 0)][position] for owner, position in places],
        [place.owner for place in places],
        [place.position for place in places],
    )


def _padded(length: int) -> int:
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def _collate(documents: list[Document], pad: int) -> Batch:
    length = _padded(max(len(document.ids) for document in documents))
    filled = [Document(*(values + [filler] * (length - len(values)) for values, filler in zip(document, (pad, 0.0, NO_LABEL, PADDING, 0), strict=True))) for document in documents]
    return Batch(*(torch.tensor(column) for column in zip(*filled, strict=True)))
