"""A token that could come next is shown as the token tab shows it."""

from newsft.encoding.candidates import read_candidate


def test_text_space_and_control_token(chat, tokenizer):
    (word,) = tokenizer(" 공", add_special_tokens=False)["input_ids"][:1]
    found = read_candidate(chat, word, [])
    assert found.text == tokenizer.decode([word]) and found.bytes == found.text.encode() and not found.control
    ends = read_candidate(chat, chat.end_id, [])
    assert ends.control and ends.text == tokenizer.convert_ids_to_tokens(chat.end_id)


def test_parts_of_a_syllable_are_bytes_and_the_last_completes_it(chat, tokenizer):
    ids = tokenizer("뷁", add_special_tokens=False)["input_ids"]
    assert len(ids) > 1
    found = [read_candidate(chat, token, ids[:place]) for place, token in enumerate(ids)]
    assert b"".join(one.bytes for one in found) == "뷁".encode()
    assert all(one.text is None for one in found)
    assert [one.completes for one in found] == [None] * (len(ids) - 1) + ["뷁"]
