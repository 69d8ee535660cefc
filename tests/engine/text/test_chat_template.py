"""Chat templates: the text of transformers, and templates that refuse or fail."""

import json
import sys

import pytest
from transformers import AutoTokenizer

from engine.text import chat_template
from engine.text.chat_template import ChatTemplate, ChatTemplateError
from engine.text.message import ChatMessage
from engine.text.tokenizer import Tokenizer, TokenizerError
from tests.engine.text.tokenizers import CONFIG, TEMPLATE, byte_level

TURNS = (
    ChatMessage("system", "  Be brief.  "),
    ChatMessage("user", "Is it <a> \"cat\" & 'dog'?"),
    ChatMessage("assistant", "naïve 猫\n"),
    ChatMessage("user", ""),
)


def template(folder) -> ChatTemplate | None:
    tokenizer = Tokenizer.from_folder(folder)
    return ChatTemplate.from_folder(folder, tokenizer.names)


def written(tmp_path, source: str) -> ChatTemplate:
    (tmp_path / "chat_template.jinja").write_text(source, encoding="utf-8")
    found = ChatTemplate.from_folder(tmp_path, CONFIG)
    assert found is not None
    return found


@pytest.mark.parity
@pytest.mark.parametrize(
    "source",
    [
        TEMPLATE,
        "{%- for m in messages %}{{ m | tojson }}{% if loop.first %}{% continue %}{% endif %}"
        "{% if loop.index > 2 %}{% break %}{% endif %}{%- endfor %}",
        "{{ messages | tojson(indent=2) }}",
        "{% generation %}{{ messages[0].content }}{% endgeneration %}{{ eos_token }}{{ unknown }}",
        "{% if true %}\n   x\n  {% endif %}\n{{ tools is none }}{{ documents is none }}",
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}"
        "{{ ns.n }}{{ strftime_now('%Y') }}",
    ],
)
@pytest.mark.parametrize("thinking", [{}, {"enable_thinking": True}, {"enable_thinking": False}])
def test_the_text_of_a_conversation_is_that_of_transformers(tmp_path, source, thinking):
    folder = byte_level(tmp_path)
    (folder / "chat_template.jinja").write_text(source, encoding="utf-8")
    theirs = AutoTokenizer.from_pretrained(folder)
    turns = [{"role": turn.role, "content": turn.content} for turn in TURNS]
    how = {"add_generation_prompt": True, **thinking}
    text = template(folder).render(TURNS, **thinking)
    assert text == theirs.apply_chat_template(turns, tokenize=False, **how)
    tokens = Tokenizer.from_folder(folder).encode(text, add_special_tokens=False)
    assert tokens == theirs.apply_chat_template(turns, **how)["input_ids"]


@pytest.mark.parametrize(
    "entry",
    ["plain", [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "no"}]],
)
def test_a_template_may_stand_in_the_tokenizers_config(tmp_path, entry):
    config = {**CONFIG, "chat_template": entry}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    found = ChatTemplate.from_folder(tmp_path, {})
    assert found is not None
    assert found.render(TURNS) == "plain"


def test_a_file_of_its_own_wins_over_the_config(tmp_path):
    config = {**CONFIG, "chat_template": "config"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert written(tmp_path, "file").render(TURNS) == "file"


def test_a_checkpoint_without_a_template_has_none(tmp_path):
    assert ChatTemplate.from_folder(tmp_path, {}) is None


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{% break %}",
        "{{ " + "(" * 3000,
        "{{ " + "9" * 5000 + " }}",
        "\ud800",
    ],
)
def test_what_is_no_template_is_refused_by_file(tmp_path, source):
    (tmp_path / "chat_template.jinja").write_bytes(source.encode(errors="surrogatepass"))
    with pytest.raises(TokenizerError, match=r"chat_template\.jinja: the chat template"):
        ChatTemplate.from_folder(tmp_path, {})


@pytest.mark.parametrize("entry", [[1], [{"name": [], "template": "x"}], {"default": 3}, 7, []])
def test_an_entry_that_holds_no_template_is_none(tmp_path, entry):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": entry}))
    assert ChatTemplate.from_folder(tmp_path, {}) is None


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}",
        "{% macro two(n) %}{% if n %}{{ two(n - 1) }}{{ two(n - 1) }}{% endif %}{% endmacro %}"
        "{{ two(60) }}",
    ],
)
def test_a_template_without_an_end_is_ended(tmp_path, monkeypatch, source):
    monkeypatch.setattr(chat_template, "RENDER_LIMIT_S", 0.05)
    before = sys.gettrace()
    template = written(tmp_path, "{% set many = range(100000) %}" + source)
    with pytest.raises(ChatTemplateError, match=r"^computes for longer than 0\.05 s$"):
        template.render(TURNS)
    assert sys.gettrace() is before


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ raise_exception('roles must alternate') }}", "^roles must alternate$"),
        ("{{ messages[0].content + 1 }}", "str"),
        ("{{ 1 // 0 }}", "zero"),
        ("{{ ().__class__.__bases__ }}", "unsafe"),
        ("{{ messages.append(1) }}", "append"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", "[Rr]ange"),
        ("{{ '\\ud800' }}", "surrogates not allowed"),
        ("{{ raise_exception('half a character: \\ud800') }}", r"^half a character: \?$"),
    ],
)
def test_a_template_that_fails_says_why(tmp_path, source, said):
    with pytest.raises(ChatTemplateError, match=said):
        written(tmp_path, source).render(TURNS)


@pytest.mark.parametrize(
    "expression",
    [
        "'a' * 10 ** 7",
        "10 ** 7 * 'a'",
        "'ab' * (2 ** 21 + 1)",
        "[0] * 10 ** 9",
        "2 ** (2 ** 40)",
        "(2 ** (2 ** 21)) * (2 ** (2 ** 21))",
    ],
)
def test_no_product_makes_much_of_little(tmp_path, expression):
    template = written(tmp_path, f"{{% set x = {expression} %}}")
    with pytest.raises(ChatTemplateError, match=r"^the operator \*\*? would make \d+ .*4194304$"):
        template.render(TURNS)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("'ab' * 3", "ababab"),
        ("2 * [1, 'x']", "[1, 'x', 1, 'x']"),
        ("2 ** 10 * 3", "3072"),
        ("2.5 * 2 ** -1", "1.25"),
        ("('ab' * 2 ** 21) | length", "4194304"),
    ],
)
def test_products_are_what_they_are(tmp_path, expression, text):
    assert written(tmp_path, f"{{{{ {expression} }}}}").render(TURNS) == text
