"""The tab 고장 실험실: switches that break a row, what it does to the labels, and a training run that proves it."""

import gradio as gr

from newsft.encoding import tokens
from newsft.encoding.collate import pad_batch
from newsft.lessons import two_steps
from newsft.lessons.conversations import COMPARED_TOKENS, check_length
from newsft.lessons.faults import Faults, break_row, spoil_messages, spoil_padding
from newsft.lessons.inspect import changed_positions, find_verdicts
from newsft.lessons.source import Shelf
from newsft.page.chooser import Chooser, explain, explain_errors, explain_failure
from newsft.page.html import lab as views
from newsft.page.tabs.trainers import build_trainers
from newsft.page.texts import lesson
from newsft.page.words import QUICK, Words, waiting

SWITCHES = tuple(name for name in Faults.__dataclass_fields__ if name != "cut")
MINIATURE = "miniature"  # the proof trains it, whichever model is loaded
NO_CUT = 0  # the slider's zero: nothing is cut


def read_faults(switched: list[str], cut: int) -> Faults:
    """The switches and the slider as faults."""
    return Faults(**{name: name in switched for name in SWITCHES}, cut=int(cut) or None)


def break_rows(shelf: Shelf, tokenizer_name: str, choice: tuple, faults: Faults) -> tuple:
    """The chat format, the conversation, the correct row and the broken one; padded beside a longer row where padding is the subject."""
    chat = two_steps.miniature_chat() if tokenizer_name == MINIATURE else shelf.chat(tokenizer_name)
    messages, changes = shelf.messages(*choice)
    messages = spoil_messages(chat, messages, faults)
    before, after = chat.encode_row(messages), break_row(chat, messages, faults)
    check_length(max(len(before), len(after)), limit=COMPARED_TOKENS)
    if faults.pad_by_value or faults.pad_left:
        partner = shelf.partner(before, chat)
        before = pad_batch([before, partner], pad_id=chat.pad_id)[0]
        after = spoil_padding(pad_batch([after, partner], pad_id=chat.pad_id)[0], faults, pad_id=chat.pad_id)
    return chat, messages, changes, before, after


@explain_errors(more=2)
def show_lab(shelf: Shelf, language: str, tokenizer_name: str, *values) -> list[str]:
    """Verdict, lessons and both rows; `values` are the choice, the switches and the slider."""
    *choice, switched, cut = values
    faults = read_faults(switched, cut)
    chat, messages, changes, before, after = break_rows(shelf, tokenizer_name, tuple(choice), faults)
    lost, changed = changed_positions(before, after)
    pair = views.format_rows(
        tokens.read_tokens(chat, before), tokens.read_tokens(chat, after), lost=lost, changed=changed, language=language
    )
    verdict = explain(changes, language) + views.format_verdicts(
        find_verdicts(chat, messages, before, after, faults), language=language
    )
    return [verdict, views.format_lesson(faults, language=language), pair]


@explain_errors(more=1)
def prove(shelf: Shelf, language: str, _tokenizer_name: str, *values) -> list:
    """Two training steps on each row, with the miniature's own tokenizer, whichever is shown; and what `show_proof` needs to say it again."""
    *choice, switched, cut = values
    try:
        *_, before, after = break_rows(shelf, MINIATURE, tuple(choice), read_faults(switched, cut))
        proofs = [(name, two_steps.train_row(row)) for name, row in (("correct", before), ("broken", after))]
    except (RuntimeError, MemoryError):
        return [explain_failure("proof", language), None]
    proved = {"of": _name_rows(values), "results": [(name, result.losses, result.moved) for name, result in proofs]}
    return [views.format_proof(proved["results"], language=language), proved]


def show_proof(proved: dict | None, language: str, _tokenizer_name: str, *values) -> str:
    """The last proof in the reader's language; nothing where it was of other rows."""
    if not proved or proved["of"] != _name_rows(values):
        return ""
    return views.format_proof(proved["results"], language=language)


def _name_rows(values: tuple) -> list:
    """What tells a proof's rows from others: the choice, the switches in whatever order they were set, and the slider."""
    *choice, switched, cut = values
    return [*choice, sorted(switched), cut]


def build_lab_tab(shelf: Shelf, words: Words, *, tab: gr.Tab, chosen: gr.State, language: gr.Radio) -> None:
    """Build the tab."""
    words.make(gr.Markdown, {"value": "lab_intro"})
    chooser = Chooser(shelf, words, name="lab")
    shown = {"label": "lab_switches", "choices": _switches}
    switches = words.make(gr.CheckboxGroup, shown, value=["header_spaces"], elem_id="switches")
    with gr.Row(elem_classes="chooser"):
        shown = {"label": lambda to: lesson("cut", to)["switch"], "info": "lab_cut_note"}
        cut = words.make(gr.Slider, shown, minimum=NO_CUT, maximum=2048, value=NO_CUT, step=1, elem_id="cut")
        reset = words.make(gr.Button, {"value": "lab_reset"}, elem_id="lab-reset")
        run = words.make(gr.Button, {"value": "proof_run"}, variant="primary", elem_id="proof-run")
    verdict = words.make(gr.HTML, {}, first={"value": waiting("loading_tokenizer")}, elem_id="verdict")
    proof, explained, pair = gr.HTML(elem_id="proof"), gr.HTML(elem_id="faults"), gr.HTML(elem_id="pair")
    proved = gr.State(None)
    chooser.on_change(
        lambda *values: [*show_lab(shelf, *values[:-1]), show_proof(values[-1], *values[:-1])],
        [switches, cut],
        [verdict, explained, pair, proof],
        tab=tab,
        chosen=chosen,
        language=language,
        also=[proved],
    )
    reset.click(lambda: [[], NO_CUT], None, [switches, cut], **QUICK)
    training = {"api_visibility": "private", "concurrency_id": "training", "concurrency_limit": 1}
    inputs = [language, *chooser.inputs, switches, cut]
    run.click(lambda *values: prove(shelf, *values), inputs, [proof, proved], **training)
    build_trainers(shelf, words, chooser, tab=tab, chosen=chosen, language=language)


def _switches(language: str) -> list[tuple[str, str]]:
    return [(lesson(name, language)["switch"], name) for name in SWITCHES]
