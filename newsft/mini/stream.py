"""The endless stream of documents as batches of token ids and of their weights in the loss, each batch of one of a few shapes."""

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase

from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import IGNORED, Encoded
from newsft.encoding.stretches import Span
from newsft.mini import exercises
from newsft.mini.events import Event, draw_events
from newsft.mini.exercises import Conversation
from newsft.mini.keywords import Keywords
from newsft.mini.leaving_out import leave_out
from newsft.mini.lent_names import LentNames
from newsft.mini.reading import Reading
from newsft.mini.repeats import find_loops, find_repeats
from newsft.mini.schedule import Phase
from newsft.mini.slips import take_marks
from newsft.mini.written import Written, join_articles, vary

SEED = 11
LENGTHS = (96, 128, 192, 256, 320, 384, 512, 640, 768, 896, 1024, 1280, 1536, 2048)  # few shapes: each is compiled once
BATCH_TOKENS = 8192
LONGEST_PAGE = 1600  # characters of two articles read as one page
CHUNK = 512  # documents drawn together, so that those of like length share a batch
DECISIONS = re.compile(
    r"""(?<=['"]:) \S|(?<=\[['"])\S|(?<=['"], ['"])[^a-z]|['"](?=\]|, ['"])|긍정적|부정적|영향이 없습니다|영향 없음|(?<=['"]:) ''|네,|아니요|없습니다|관련이 없"""
)
FORM = re.compile(r"""['"](?=})|(?<=, ['"])[a-z_]+(?=['"]:)""")  # the end of the last string, the keys behind the first
MENDED = 10.0  # what the end of a slip weighs: one token of hundreds, and what the answer's form hangs on


class Document(NamedTuple):
    """One document's token ids, what each weighs in the loss, and the pairs of tokens that must not be taken for one another (`repeats`)."""

    ids: list[int]
    weights: list[float]
    repeats: Sequence[tuple[int, int]] = ()


class Batch(NamedTuple):
    """Documents padded on the right, [documents, length] each; `told` marks the words of answers, `repeats` are [pairs, 3]: document and its pair."""

    ids: torch.Tensor
    weights: torch.Tensor
    told: torch.Tensor
    repeats: torch.Tensor


class Stream(Dataset):
    """Chunk -> its batches; a chunk depends on the seed and its number alone, so a run can resume."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        articles: Sequence[Written],
        events: Sequence[Event],
        phase: Phase,
        *,
        batch_tokens: int | None = None,
        seed: int = SEED,
    ):
        self.tokenizer, self.chat = tokenizer, ChatFormat(tokenizer)
        self.articles, self.events, self.phase = list(articles), list(events), phase
        self.several = [article for article in self.articles if len(article.stocks) > 1] or self.articles
        self.batch_tokens, self.seed = batch_tokens or BATCH_TOKENS, seed
        self.keywords, self.names = Keywords(self.articles), LentNames(self.articles)
        self.sentences = [sentence for article in self.articles for sentence in Reading(article).bodied]

    def __len__(self) -> int:
        return 1 << 30

    def draw_document(self, rng: random.Random) -> Document:
        """A plain article, a drill, a few lines of news with questions, or a conversation about an article."""
        phase, form = self.phase, rng.random()
        article = rng.choice(self.articles)
        if form < phase.plain:
            text = self._vary(rng, article, listed=phase.listed, figures=rng.random() < 0.7).news
            ids = [
                self.tokenizer.bos_token_id,
                *self._ids(text),
                self.tokenizer.convert_tokens_to_ids("<|end_of_text|>"),
            ]
            return Document(ids, [0.0] + [1.0] * (len(ids) - 1))
        if form < phase.plain + phase.drills:
            return self._encode(exercises.draw_drill(rng, self.names.company, self.sentences))
        if form < phase.plain + phase.drills + phase.events:
            return self._encode(
                draw_events(rng, self.events, self.keywords, invent=self.names.company, boards=phase.boards)
            )
        judged = rng.random() < phase.judged
        if judged and rng.random() < phase.several:
            article = rng.choice(self.several)
        varied = self._vary(
            rng,
            article,
            listed=0.0 if judged else phase.listed,
            figures=rng.random() < (0.4 if judged else 0.8),
        )
        if judged and rng.random() < phase.joined:
            other = self._vary(rng, rng.choice(self.articles), figures=False)
            if len(varied.news) + len(other.news) <= LONGEST_PAGE and not set(varied.stocks) & set(other.stocks):
                varied = join_articles(varied, other)
        return self._encode(
            exercises.draw_conversation(
                rng,
                varied,
                self.keywords,
                judged=0.8 if judged else 0.0,
                objects=phase.objects,
                slips=phase.slips,
                lists=phase.lists,
                effects=phase.effects,
                turns=phase.turns,
            )
        )

    def _vary(self, rng: random.Random, article: Written, *, figures: bool, listed: float = 0.0) -> Written:
        article = leave_out(rng, article) if rng.random() < self.phase.left_out else article
        return vary(
            rng,
            article,
            invent=partial(self.names.company, news=article.news, listed=listed),
            lend=partial(self.names.other, news=article.news),
            figures=figures,
        )

    def _encode(self, conversation: Conversation) -> Document:
        text, slips = take_marks("".join(piece.text for piece in self.chat.build_pieces(conversation.messages)))
        row = self.chat.encode_row(
            [message | {"content": take_marks(message["content"])[0]} for message in conversation.messages]
        )
        assert row.text == text
        repeats = [*find_repeats(row), *find_loops(row, slips)]
        return Document(row.input_ids, weigh(row, self.phase, slips, conversation.effects), repeats)

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def __getitem__(self, chunk: int) -> list[Batch]:
        rng = random.Random(f"{self.seed}-{chunk}")
        documents = [self.draw_document(rng) for _ in range(CHUNK * max(1, self.batch_tokens // BATCH_TOKENS))]
        batches = list(form_batches(documents, self.tokenizer.pad_token_id, self.batch_tokens))
        rng.shuffle(batches)
        return batches


def form_batches(documents: Iterable[Document], pad: int, batch_tokens: int) -> Iterator[Batch]:
    """Documents by length in batches of `batch_tokens`; what fills no batch goes on to the next length, and those longer than all lengths are left out."""
    left = sorted(documents, key=lambda document: len(document.ids))
    for length in LENGTHS:
        rows = batch_tokens // length
        fitting = [document for document in left if len(document.ids) <= length]
        left = left[len(fitting) :]
        whole = len(fitting) // rows * rows
        for start in range(0, whole, rows):
            yield _collate(fitting[start : start + rows], length, pad)
        left = [*fitting[whole:], *left]
        if length == LENGTHS[-1] and whole < len(fitting):
            rest = fitting[whole:]
            yield _collate([*rest, *(Document([pad], [0.0]) for _ in range(rows - len(rest)))], length, pad)


def weigh(encoded: Encoded, phase: Phase, slips: Sequence[Span] = (), companies: Iterable[str] = ()) -> list[float]:
    """What each token of a conversation weighs in the loss."""
    decided = {
        at for pattern in (DECISIONS, FORM) for match in pattern.finditer(encoded.text) for at in range(*match.span())
    }
    origins = ["", *encoded.origins]
    decided |= {
        span[0]
        for span, origin, before in zip(encoded.spans, encoded.origins, origins, strict=False)
        if origin == "answer" != before
    }
    named = {
        at for name in companies for match in re.finditer(re.escape(name), encoded.text) for at in range(*match.span())
    }
    slipped = {at for slip in slips for at in range(*slip)}
    ended = {end for _, end in slips}

    def weigh_answer(span: Span) -> float:
        characters = set(range(*span))
        if characters <= slipped:
            return 0.0
        if characters & ended:
            return MENDED
        return phase.decided if characters & decided else phase.named if characters & named else 1.0

    return [
        (weigh_answer(span) if label != IGNORED else phase.read if origin == "user" else 0.0)
        for label, origin, span in zip(encoded.labels, encoded.origins, encoded.spans, strict=True)
    ]


def _collate(documents: list[Document], length: int, pad: int) -> Batch:
    def fill(rows: list[list], filler: float) -> torch.Tensor:
        return torch.tensor([values + [filler] * (length - len(values)) for values in rows])

    weights = fill([document.weights for document in documents], 0.0)
    pairs = [(number, *pair) for number, document in enumerate(documents) for pair in document.repeats]
    return Batch(
        fill([document.ids for document in documents], pad),
        weights,
        weights == 1.0,
        torch.tensor(pairs, dtype=torch.long).reshape(-1, 3),
    )
