import random
from dataclasses import replace

import pytest
import torch

from newsft.encoding.row import IGNORED
from newsft.mini.events import read_events
from newsft.mini.exercises import Conversation, draw_conversation
from newsft.mini.schedule import PHASES
from newsft.mini.slips import take_marks
from newsft.mini.stream import BATCH_TOKENS, LENGTHS, MENDED, Document, Stream, form_batches, weigh
from newsft.mini.written import read_written

PHASE = PHASES["mixed"]
NAME = "비오랑항공"


@pytest.fixture(scope="module")
def stream(tokenizer):
    return Stream(tokenizer, read_written()[:60], read_events()[:100], PHASE)


def encode(stream, answer, news=f"{NAME}이 날았다."):
    """The row of one conversation, its weights, and the text of each token."""
    messages = [{"role": "user", "content": news}, {"role": "assistant", "content": answer}]
    document = stream._encode(Conversation(messages, {NAME: "+"}))
    row = stream.chat.encode_row([message | {"content": take_marks(message["content"])[0]} for message in messages])
    assert row.input_ids == document.ids
    return row, document.weights


def weights_at(row, weights, words):
    begin = row.text.rindex(words)
    return [
        weight
        for weight, (start, end) in zip(weights, row.spans, strict=True)
        if begin <= start < end <= begin + len(words)
    ]


@pytest.mark.parametrize(
    ("answer", "decisive"),
    [
        ("{'positive_impact_stocks': ['가나']}", " ['"),
        ("{'positive_impact_stocks': []}", " []}"),
        ("{'summary': None}", " "),
        ("부정적입니다.", "부"),
    ],
)
def test_token_that_decides_an_answer_weighs_most(stream, answer, decisive):
    row, weights = encode(stream, answer)
    heavy = [
        stream.tokenizer.decode([token])
        for token, weight in zip(row.input_ids, weights, strict=True)
        if weight == PHASE.decided
    ]
    assert decisive in heavy and len(heavy) < 6
    assert {weight for weight, origin in zip(weights, row.origins, strict=True) if origin == "user"} == {PHASE.read}


def test_a_name_in_an_answer_weighs_more_than_what_is_told(stream):
    row, weights = encode(stream, f"이 소식은 {NAME}에 좋습니다.")
    assert set(weights_at(row, weights, NAME)) == {PHASE.named} != {1.0}
    assert 1.0 in weights


def test_what_slips_is_read_and_not_learned_and_its_end_weighs_most(stream):
    row, weights = encode(stream, "{'negative_keywords': ['파업⟦ 파업 파업⟧'], 'summary': '줄었습니다.'}")
    assert set(weights_at(row, weights, " 파업 파업")) == {0.0}
    after = row.text.rindex(" 파업 파업") + len(" 파업 파업")
    assert [weight for weight, (start, end) in zip(weights, row.spans, strict=True) if start <= after < end] == [MENDED]


def test_every_token_of_an_answer_without_slips_is_learned(stream):
    rng = random.Random(1)
    for article in stream.articles[:20]:
        conversation = draw_conversation(rng, article, stream.keywords, judged=0.5, objects=0.5, slips=0.0)
        row = stream.chat.encode_row(conversation.messages)
        weights = weigh(row, PHASE, companies=conversation.effects)
        assert all(weight > 0 for weight, label in zip(weights, row.labels, strict=True) if label != IGNORED)


def test_chunk_depends_on_its_number_alone(stream):
    first, again, other = stream[3], stream[3], stream[4]
    assert all(torch.equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two, strict=True))
    assert not torch.equal(first[0].ids, other[0].ids) or first[0].ids.shape != other[0].ids.shape


def test_batches_have_few_shapes_little_padding_and_all_documents(stream):
    batches, pad = stream[0], stream.tokenizer.pad_token_id
    assert {tuple(batch.ids.shape) for batch in batches} <= {(BATCH_TOKENS // length, length) for length in LENGTHS}
    assert sum((batch.ids != pad).sum() for batch in batches) / sum(batch.ids.numel() for batch in batches) > 0.8
    assert all((batch.weights[batch.ids == pad] == 0).all() for batch in batches)
    documents = [Document([7] * count, [1.0] * count) for count in (5, 100, 130, 130, 900, 2048)]
    assert sum((batch.ids == 7).sum() for batch in form_batches(documents, 0, BATCH_TOKENS)) == sum(
        len(document.ids) for document in documents
    )


def test_larger_batches_hold_the_same_documents_and_another_seed_draws_others(stream):
    def draw(**settings):
        drawn = Stream(stream.tokenizer, stream.articles, stream.events, PHASE, **settings)[0]
        return drawn, sum(int((batch.ids != stream.tokenizer.pad_token_id).sum()) for batch in drawn)

    batches, tokens = draw(batch_tokens=2 * BATCH_TOKENS)
    assert {tuple(batch.ids.shape) for batch in batches} <= {(2 * BATCH_TOKENS // one, one) for one in LENGTHS}
    assert tokens > 1.5 * draw()[1]  # twice the documents
    assert tokens != draw(batch_tokens=2 * BATCH_TOKENS, seed=5)[1]


def test_some_documents_are_plain_articles(stream):
    rng = random.Random(2)
    plain = Stream(stream.tokenizer, stream.articles, stream.events, replace(PHASE, plain=1.0))
    for _ in range(5):
        document = plain.draw_document(rng)
        text = stream.tokenizer.decode(document.ids)
        assert (
            text.startswith("<|begin_of_text|>")
            and text.endswith("<|end_of_text|>")
            and "<|start_header_id|>" not in text
        )
        assert document.weights[0] == 0 and set(document.weights[1:]) == {1.0}
