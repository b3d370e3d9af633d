"""Which adapters a reader is offered, and whose system prompt stands in the box."""

from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from newsft.inference.types import AnswerStream
from newsft.page.tabs.compare_handlers import CompareHandlers
from newsft.page.tabs.next_tokens import NextTokenHandlers
from newsft.page.texts import say


@pytest.fixture
def handlers(engine):
    """The handlers of a page with three adapters, of which one is a single reader's; no model is asked."""
    first = engine.adapters[0]
    other = replace(first, name="other", side="adapter-1", run=first.run | {"system_prompt": "다른 프롬프트"})
    own = replace(first, name="run-7", side="adapter-2", run=None, listed=False)
    several = SimpleNamespace(adapters=(first, other, own), sides=engine.sides, served={})
    return CompareHandlers(several, page=None, system_prompt=first.run["system_prompt"], rows=[])


def test_reader_is_offered_the_listed_ones_and_ones_own(handlers):
    assert handlers.list_adapters([], "ko") == [("mini-news", "mini-news"), ("other", "other")]
    assert handlers.list_adapters(["run-7"], "ko")[2] == (say("adapter_own", "ko", name="run-7"), "run-7")
    offered, prompt = handlers.offer_adapters("run-7", ["run-7"], "en")
    assert prompt == gr.skip() == handlers.offer_adapters(None, [], "en")[1]
    assert (offered["value"], offered["visible"], len(offered["choices"])) == ("run-7", True, 3)
    offered, prompt = handlers.offer_adapters("run-7", [], "en")  # it is gone: the first takes its place
    assert (offered["value"], prompt) == ("mini-news", handlers.system_prompt)


def test_choice_of_one_is_out_of_sight(handlers):
    handlers.engine.adapters = handlers.engine.adapters[:1]
    assert not handlers.offer_adapters("mini-news", [], "ko")[0]["visible"]


def test_adapter_brings_its_system_prompt_and_leaves_the_readers_own(handlers):
    learned = handlers.system_prompt
    assert handlers.change_adapter("other", learned) == "다른 프롬프트"
    assert handlers.change_adapter("mini-news", "다른 프롬프트") == learned
    assert handlers.change_adapter("run-7", "다른 프롬프트") == learned  # its training is not known
    assert handlers.change_adapter("other", "내가 쓴 것") == gr.skip()


@pytest.mark.parametrize("language", ["ko", "en"])
def test_column_names_the_adapter_where_there_are_several(handlers, language):
    shown = {"language": language, "waiting": "waiting"}
    stream, other = AnswerStream("글", 1, 1.0, "limit"), handlers.engine.adapters[1]
    named = say("tuned_note_named", language, name="other")
    assert named in handlers._format_side("tuned", stream, adapter=other, **shown)
    assert "other" not in handlers._format_side("base", stream, adapter=other, **shown)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_news_of_a_length_that_the_adapter_never_read_is_told_from_the_start(handlers, language):
    shown = {"language": language, "waiting": "waiting"}
    first = handlers.engine.adapters[0]
    for stream in (AnswerStream(), AnswerStream("글", 1, 1.0), AnswerStream("글", 1, 1.0, "limit")):
        for length, told in ((251, True), (252, False), (1399, False), (1400, True)):
            column = handlers._format_side("tuned", stream, adapter=first, news="가" * length, **shown)
            warning = say("news_length", language, count=length, shortest=252, longest=1399)
            assert (warning in column) is told
            assert 'class="problem"' not in handlers._format_side("base", stream, adapter=first, news="가", **shown)
    unmeasured = replace(first, run={name: what for name, what in first.run.items() if name != "news_lengths"})
    for adapter in (unmeasured, handlers.engine.adapters[2], None):
        assert "problem" not in handlers._format_side("tuned", AnswerStream(), adapter=adapter, news="가", **shown)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_looking_ahead_before_anything_was_compared_says_what_to_do(engine, language):
    *_, shown = NextTokenHandlers(engine).look(None, "tuned", language)
    assert say("error_next_nothing", language) in shown
