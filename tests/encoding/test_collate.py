import torch

from newsft.encoding.collate import collate
from newsft.encoding.row import IGNORED, Encoded

SHORT = Encoded(input_ids=[5, 0, 7], labels=[IGNORED, 0, 7], attention_mask=[1, 1, 1])
LONG = Encoded(input_ids=[5, 6, 7, 8, 9], labels=[IGNORED, IGNORED, 7, 8, 9], attention_mask=[1] * 5)


def test_shorter_row_is_padded_on_the_right():
    batch = collate([SHORT, LONG], pad_id=3)
    assert batch["input_ids"].tolist() == [[5, 0, 7, 3, 3], [5, 6, 7, 8, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert batch["labels"].tolist() == [[IGNORED, 0, 7, IGNORED, IGNORED], [IGNORED, IGNORED, 7, 8, 9]]


def test_ordinary_token_with_the_pad_id_is_still_seen_and_trained():
    batch = collate([SHORT, LONG], pad_id=0)  # VARCO pads with 0, which is `!`
    assert batch["input_ids"][0].tolist() == [5, 0, 7, 0, 0]
    assert batch["attention_mask"][0].tolist() == [1, 1, 1, 0, 0]
    assert batch["labels"][0].tolist() == [IGNORED, 0, 7, IGNORED, IGNORED]


def test_rows_of_equal_length_get_no_padding():
    batch = collate([LONG, LONG], pad_id=3)
    assert batch["input_ids"].shape == (2, 5)
    assert bool(batch["attention_mask"].all())


def test_dicts_of_a_data_set_collate_like_encoded_rows():
    dicts = [
        {"input_ids": row.input_ids, "labels": row.labels, "attention_mask": row.attention_mask}
        for row in (SHORT, LONG)
    ]
    expected, found = collate([SHORT, LONG], pad_id=3), collate(dicts, pad_id=3)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_collating_leaves_the_rows_unpadded():
    collate([SHORT, LONG], pad_id=3)
    assert (len(SHORT.input_ids), len(SHORT.labels), len(SHORT.attention_mask)) == (3, 3, 3)


def test_batch_holds_integers_that_the_loss_accepts(chat, tokenizer):
    row = chat.encode_row([{"role": "user", "content": "뉴스"}, {"role": "assistant", "content": "답"}])
    batch = collate([row], pad_id=tokenizer.pad_token_id)
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}
    logits = torch.zeros(1, len(row), len(tokenizer))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten())
    assert torch.isclose(loss, torch.log(torch.tensor(float(len(tokenizer)))))
