"""Chat templates that the encoding has to follow unchanged, and conversations to put through them."""

import copy

HEADER = "<|start_header_id|>assistant<|end_header_id|>\n\n"
TURN = (
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
)
LLAMA3 = (
    "{{ bos_token }}{% for message in messages %}"
    + TURN
    + "{% endfor %}{% if add_generation_prompt %}{{ '"
    + HEADER
    + "' }}{% endif %}"
)
# Asked or not, this one opens the answer's turn.
VARCO = (
    "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    + TURN
    + "{% endfor %}{{ '"
    + HEADER
    + "' }}"
)
# Contents verbatim, a line break after every turn, no beginning-of-text token.
CHATML = (
    "{% for message in messages %}{{ '<|python_tag|>' + message['role'] + '\n' + message['content'] + '<|eom_id|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|python_tag|>assistant\n' }}{% endif %}"
)
# Llama 3.1's way: the system header is always there and holds a date, the system message is taken out of the list.
DATED = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] | trim %}{% set messages = messages[1:] %}"
    "{% else %}{% set system = '' %}{% endif %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n' + system + '<|eot_id|>' }}"
    "{% for message in messages %}"
    + TURN
    + "{% endfor %}{% if add_generation_prompt %}{{ '"
    + HEADER
    + "' }}{% endif %}"
)
# Ordinary spaces around contents that are stripped.
LLAMA2 = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}"
    "{% else %}{{ '[INST] ' + message['content'].strip() + ' [/INST]' }}{% endif %}{% endfor %}"
)
TEMPLATES = {"llama3": LLAMA3, "varco": VARCO, "chatml": CHATML, "dated": DATED, "llama2": LLAMA2}

SYSTEM = {"role": "system", "content": "당신은 뉴스 분석기입니다.\n키는 {{ bos_token }}가 아니라 {'summary'}입니다. "}
USER = {"role": "user", "content": "\n새빛전자, 2분기 영업이익 1,234억 원… 📈 '깜짝'\n\n증권가는 12.5% 상향했다.\n"}
ANSWER = {"role": "assistant", "content": "{'is_stock_related': True, 'summary': '새빛전자가 이익을 냈습니다.'}"}
CONVERSATIONS = {
    "one_turn": [SYSTEM, USER, ANSWER],
    "no_system": [USER, ANSWER],
    "two_turns": [
        SYSTEM,
        USER,
        ANSWER,
        {"role": "user", "content": "왜요?"},
        {"role": "assistant", "content": "많이 팔렸기 때문입니다."},
    ],
}


def with_template(tokenizer, template):
    changed = copy.deepcopy(tokenizer)
    changed.chat_template = template
    return changed
