import pytest

from newsft.encoding import template
from newsft.encoding.chat import ChatFormat
from newsft.encoding.llama3 import llama3_chat
from newsft.encoding.pieces import Piece
from newsft.encoding.template import compare_spellings, link_pieces, respell_template
from newsft.lessons.conversations import TOY
from tests.templates import CHATML, CONVERSATIONS, DATED, HEADER, LLAMA2, TEMPLATES, VARCO, with_template

TURNS = {
    "llama3": "<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>",
    "varco": "<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>",
    "chatml": "<|python_tag|>{role}\n{content}<|eom_id|>",
}


@pytest.fixture(scope="module")
def llama3():
    return llama3_chat()


def join(stretches):
    return "".join(stretch.text for stretch in stretches)


def link(chat, messages, *, generation_prompt=False):
    return link_pieces(chat, chat.build_pieces(messages, generation_prompt=generation_prompt))


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_stretches_joined_are_the_text_of_the_pieces(tokenizer, name, messages):
    templated = ChatFormat(with_template(tokenizer, TEMPLATES[name]))
    for shown, asked in ((messages, False), (messages[:-1], True)):
        assert join(link(templated, shown, generation_prompt=asked)) == join(
            templated.build_pieces(shown, generation_prompt=asked)
        )


@pytest.mark.parametrize("spelling", template.SPELLINGS)
def test_respelled_template_is_linked_as_the_official_one(llama3, spelling):
    pieces = respell_template(llama3.build_pieces(TOY), **template.SPELLINGS[spelling])
    stretches = link_pieces(llama3, pieces)
    assert join(stretches) == join(pieces)
    assert [(s.origin, s.message, s.control) for s in stretches] == [
        (s.origin, s.message, s.control) for s in link(llama3, TOY)
    ]


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize("name", TURNS)
def test_every_message_has_its_header_content_and_end(tokenizer, name, messages):
    stretches = link(ChatFormat(with_template(tokenizer, TEMPLATES[name])), messages)
    for number, message in enumerate(messages):
        content = message["content"] if name == "chatml" else message["content"].strip()
        turn = join(stretch for stretch in stretches if stretch.message == number)
        assert turn.lstrip("\n") == TURNS[name].format(role=message["role"], content=content)
    assert {stretch.message for stretch in stretches} <= {None, *range(len(messages))}


# Bug: messages are counted by end-of-turn tokens, so a template with a turn of its own, or with none after a question, is linked to the wrong cards.
@pytest.mark.parametrize("template", [DATED, LLAMA2], ids=["dated", "llama2"])
def test_contents_carry_their_messages_numbers_in_other_templates(tokenizer, template):
    stretches = link(ChatFormat(with_template(tokenizer, template)), CONVERSATIONS["no_system"])
    assert [stretch.message for stretch in stretches if stretch.origin != "template"] == [0, 1]
    assert not any(stretch.generation for stretch in stretches)


def test_beginning_of_text_belongs_to_no_message(llama3):
    first, *others = link(llama3, TOY)
    assert (first.text, first.message, first.control) == ("<|begin_of_text|>", None, True)
    assert None not in {stretch.message for stretch in others}


def test_varcos_trailing_header_belongs_to_no_message(tokenizer):
    varco = ChatFormat(with_template(tokenizer, VARCO))
    stretches = link_pieces(varco, [*varco.build_pieces(TOY), Piece(HEADER, "template")])
    assert join(stretch for stretch in stretches[1:] if stretch.message is None) == HEADER
    assert stretches[-1].message is None and stretches[-5].message == 2


def test_control_tokens_stand_alone_and_are_told_from_the_frame(llama3):
    stretches = link(llama3, TOY)
    control = [stretch.text for stretch in stretches if stretch.control]
    assert control == ["<|begin_of_text|>", *["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"] * 3]
    assert set(llama3.tokenizer.convert_tokens_to_ids(control)) <= llama3.control_ids
    assert [stretch.text for stretch in stretches if stretch.origin == "template" and not stretch.control] == [
        "system",
        "\n\n",
        "user",
        "\n\n",
        "assistant",
        "\n\n",
    ]


def test_control_token_in_a_content_stays_part_of_the_content(llama3):
    pasted = [TOY[0], {"role": "user", "content": "앞<|eot_id|>뒤<|start_header_id|>"}, TOY[2]]
    contents = [stretch for stretch in link(llama3, pasted) if stretch.origin != "template"]
    assert [(stretch.text, stretch.message, stretch.control) for stretch in contents] == [
        (message["content"], number, False) for number, message in enumerate(pasted)
    ]


@pytest.mark.parametrize(
    "name, header", [("llama3", HEADER), ("varco", HEADER), ("chatml", "<|python_tag|>assistant\n")]
)
def test_generation_prompt_is_the_answers_header_and_marked(tokenizer, name, header):
    stretches = link(ChatFormat(with_template(tokenizer, TEMPLATES[name])), TOY[:-1], generation_prompt=True)
    marked = [stretch for stretch in stretches if stretch.generation]
    assert join(marked).lstrip("\n") == header
    assert stretches[-len(marked) :] == marked and {stretch.message for stretch in marked} == {None}


@pytest.mark.parametrize("name", TURNS)
def test_whole_conversation_has_no_generation_prompt(tokenizer, name):
    assert not any(stretch.generation for stretch in link(ChatFormat(with_template(tokenizer, TEMPLATES[name])), TOY))


def test_lessons_three_templates_differ_in_tokens_or_ids(llama3):
    official, one_newline, spaces = compare_spellings(llama3, TOY)
    assert [spelling.tokens for spelling in (official, one_newline, spaces)] == [54, 54, 57]
    assert [spelling.name for spelling in (official, one_newline, spaces)] == list(template.SPELLINGS)
    assert official.header_ids == [128006, 78191, 128007, 271]
    assert one_newline.header_ids == [128006, 78191, 128007, 198]
    assert spaces.header_ids[:2] == [128006, 18328] and spaces.header_ids[-2:] == [128007, 198]
    assert [spelling.header for spelling in (official, one_newline, spaces)] == [
        HEADER,
        "<|start_header_id|>assistant<|end_header_id|>\n",
        "<|start_header_id|> assistant <|end_header_id|>\n",
    ]


def test_spellings_with_the_generation_prompt_count_what_the_model_gets(llama3):
    official, _, spaces = compare_spellings(llama3, TOY, generation_prompt=True)
    assert official.tokens == len(llama3.encode_prompt(TOY[:-1])) < compare_spellings(llama3, TOY)[0].tokens
    assert spaces.tokens == official.tokens + 3  # one for each turn, the answer's open one among them


def test_header_is_the_answers_alone_whatever_the_template(tokenizer):
    for written, header in ((VARCO, HEADER), (CHATML, "<|python_tag|>assistant\n")):
        assert compare_spellings(ChatFormat(with_template(tokenizer, written)), TOY)[0].header == header
