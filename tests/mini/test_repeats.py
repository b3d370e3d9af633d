import pytest
import torch

from newsft.encoding.chat import ChatFormat
from newsft.mini.repeats import find_loops, find_repeats, repeat_loss
from newsft.mini.slips import take_marks


@pytest.fixture(scope="module")
def pairs_of(tokenizer):
    chat = ChatFormat(tokenizer)

    def find(*answers):
        messages = [
            {"role": role, "content": text}
            for answer in answers
            for role, text in (("user", "['가나', '다라'] 를 적어 주세요."), ("assistant", answer))
        ]
        row = chat.encode_row(messages)
        begins = [start for start, _ in row.spans]
        return {tuple(row.text[begins[place] :].lstrip("[' ")[:2] for place in pair) for pair in find_repeats(row)}

    return find


@pytest.mark.parametrize(
    ("answer", "pairs"),
    [
        ("{'가': ['나무', '바다', '하늘']}", {("바다", "나무"), ("하늘", "나무"), ("하늘", "바다")}),
        ("{'가': ['나무'], '나': [], '다': ['바다']}", {("바다", "나무")}),  # of one side of the market on the other
        ('["나무", "바다"]', {("바다", "나무")}),
        ("['나무']", set()),
        ("나무, '바다', '하늘'", set()),  # no list
    ],
)
def test_every_item_is_held_against_those_before_it(pairs_of, answer, pairs):
    assert pairs_of(answer) == pairs


def test_items_of_another_answer_are_no_repeats(pairs_of):
    assert pairs_of("['나무', '바다']", "['하늘']") == {("바다", "나무")}


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        ("['나무', '바다⟦', '바다', '바다⟧']", "', '바다', '바다"),
        # a round of two items, from the second one's first sign on
        ("['나무', '바다⟦', '나무', '바다', '나무', '바다⟧']", "나무', '바다', '나무', '바다"),
        ("{'가': '비가 와서⟦ 비가 와서 비가 와서⟧'}", "비가 와서 비가 와서"),
        ("{'가': '바람⟦람람람람⟧'}", "람람람람"),
        ("{'가': '2,000⟦ 나무가 바다로 갔습니다.⟧'}", ""),  # another slip, no loop
        ("['바다', '바다', '바다']", ""),  # no slip: as its writer wanted it
    ],
)
def test_what_goes_round_again_in_a_slip_is_made_unlikely_token_by_token(tokenizer, answer, again):
    chat = ChatFormat(tokenizer)

    def messages(text):
        return [{"role": "user", "content": "바다 나무"}, {"role": "assistant", "content": text}]

    text, slips = take_marks("".join(piece.text for piece in chat.build_pieces(messages(answer))))
    row = chat.encode_row(messages(take_marks(answer)[0]))
    assert row.text == text
    loops = list(find_loops(row, slips))
    assert all(later == earlier for later, earlier in loops)
    assert "".join(row.text[slice(*row.spans[place])] for place, _ in loops).strip() == again


def test_loss_is_what_it_says_and_leaves_out_what_is_due():
    torch.manual_seed(0)
    hidden, head = torch.randn(2, 5, 4), torch.randn(7, 4)
    ids = torch.tensor([[1, 2, 3, 2, 5], [1, 6, 3, 4, 5]])
    likely = torch.softmax(hidden @ head.T, -1)
    expected = -torch.log(1 - likely[1, 2, 6])
    repeats = torch.tensor([[1, 3, 1], [0, 3, 1]])  # in the first document the same token is due
    assert repeat_loss(hidden, head, ids, ids, repeats).item() == pytest.approx(expected.item(), rel=1e-4)
    assert repeat_loss(hidden, head, ids, ids, repeats[:0]).item() == 0.0
    itself = torch.tensor([[0, 3, 3]])  # a loop's token: itself what must not come
    expected = -torch.log(1 - likely[0, 2, 2])
    assert repeat_loss(hidden, head, ids, ids, itself).item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_step_against_it_makes_the_earlier_item_less_likely():
    torch.manual_seed(0)
    hidden, head = torch.randn(1, 4, 8), torch.randn(9, 8, requires_grad=True)
    ids, repeats = torch.tensor([[0, 5, 0, 6]]), torch.tensor([[0, 3, 1]])
    before = repeat_loss(hidden, head, ids, ids, repeats)
    before.backward()
    after = repeat_loss(hidden, head - 0.1 * head.grad, ids, ids, repeats)
    assert after < before
