"""What templates may not make large, and what they may."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.text import template_sizes
from engine.text.sandbox import Sandbox
from engine.text.template_sizes import MOST, TooLargeError, written

#: Doubles a list of itself sixty times: few bytes, and no end of text.
NESTED = "{% set ns = namespace(x=[1]) %}{% for _ in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
NESTED += "{% endfor %}"

LARGE = [
    ("{{ 'a' * 10**10 }}", "the operator * would make 10000000000 "),
    ("{{ 10**10 * [1] }}", "the operator *"),
    ("{{ ('a' * 40000) + ('a' * 40000) }}", "the operator + would make 80000 "),
    ("{{ 9 ** (10**10) }}", "the operator **"),
    ("{{ (2 ** 40000) * (2 ** 40000) }}", "the operator *"),
    ("{{ '%99999999999d' % 1 }}", "the operator %"),
    ("{{ '%.99999999999f' % 1.5 }}", "the operator %"),
    ("{{ '%*d' % (10**10, 1) }}", "the conversion '%*d'"),
    ("{{ '%(a(b))99999999999d' % {'a(b)': 1} }}", "the conversion '%(a(b))9"),
    ("{{ ('%(a)s' * 100) % {'a': 'a' * 10000} }}", "the operator %"),
    ("{{ '%s' % x }}", "the operator %"),
    ("{{ '%99999999999d' | format(1) }}", "the filter format"),
    ("{{ '{:>99999999999}'.format(1) }}", "the method format"),
    ("{{ '{:>{w}}'.format(1, w=10**10) }}", "the method format"),
    ("{{ ('{a}' * 100).format_map({'a': 'a' * 10000}) }}", "the method format"),
    ("{{ '{}'.format(x) }}", "the method format"),
    ("{{ '{!r}'.format(x) }}", "the method format"),
    ("{{ ('<'|safe + '{:>99999999999}').format(1) }}", "the method format"),
    ("{{ 'a' | center(10**10) }}", "the filter center"),
    ("{{ 'a' | center(99999999999) }}", "the filter center"),
    ("{{ 'a' | center(width=10**10) }}", "the filter center"),
    ("{{ ['a'] | map('center', 10**10) | list }}", "the filter center"),
    ("{{ 'a'.center(10**10) }}", "the method center"),
    ("{{ 'a'.ljust(10**10) }}{{ 1 }}", "the method ljust"),
    ("{{ 'a'['rjust'](10**10) }}", "the method rjust"),
    ("{{ ('a' | attr('zfill'))(10**10) }}", "the method zfill"),
    ("{{ '\t'.expandtabs(10**10) }}", "the method expandtabs"),
    ("{{ '\t'.encode().expandtabs(tabsize=10**10) }}", "the method expandtabs"),
    ("{{ (1).to_bytes(10**10, 'big') }}", "the method to_bytes"),
    ("{{ (1).to_bytes(length=10**10, byteorder='big') }}", "the method to_bytes"),
    ("{{ ('a' * 10000).replace('a', 'b' * 10000) }}", "the method replace"),
    ("{{ ('a' * 10000).replace('', 'b' * 10000) }}", "the method replace"),
    ("{{ ('a' * 10000) | replace('a', 'b' * 10000) }}", "the filter replace"),
    ("{{ ('a' * 10000).translate({97: 'b' * 10000}) }}", "the method translate"),
    ("{{ ('a' * 10000).join(range(10000) | map('string')) }}", "the method join"),
    ("{{ range(10000) | join('a' * 10000) }}", "a text that is joined"),
    ("{{ x | join }}", "a text that is joined"),
    ("{{ [{'a': x}] | join(attribute='a') }}", "a text that is joined"),
    ("{{ 'a\n' | indent(10**10) }}", "the filter indent"),
    ("{{ ('a\n' * 10000) | indent('b' * 10000) }}", "the filter indent"),
    ("{{ ('a ' * 10000) | wordwrap(1, wrapstring='b' * 10000) }}", "the filter wordwrap"),
    ("{{ ('a ' * 10000) | wordwrap(1, True, 'b' * 10000) }}", "the filter wordwrap"),
    ("{{ [1] | batch(10**10, 0) | list }}", "the filter batch"),
    ("{{ [] | slice(10**10) | list }}", "the filter slice"),
    ("{{ 1.5 | round(10**10, 'ceil') }}", "the filter round"),
    ("{{ [[1]] | sum(start=[]) }}", "the filter sum adds lists, accepted: numbers"),
    ("{{ [1] | tojson(indent=10**10) }}", "the filter tojson"),
    ("{{ x | tojson }}", "the text"),
    ("{{ x }}", "the text"),
    ("{{ {1: x}.values() }}", "the text"),
    ("{{ ns }}", "the text"),
    ("{{ x | string }}", "the filter string"),
    ("{{ x | upper }}", "the filter upper"),
    ("{{ x | pprint }}", "the filter pprint"),
    ("{% set t = namespace(s='ab') %}{% for _ in range(60) %}{% set t.s = t.s ~ t.s %}{% endfor %}",
     "a text that is joined would make"),
    ("{% macro m() %}{% for _ in range(99) %}{{ 'a' * 10000 }}{% endfor %}{% endmacro %}{{ m() }}",
     "the text"),
    ("{% set s %}{% for _ in range(100) %}{{ 'a' * 10000 }}{% endfor %}{% endset %}", "the text"),
    ("{% for _ in range(9999) %}{% for _ in range(9999) %}{{ 'a' * 99 }}{% endfor %}{% endfor %}",
     "the text"),
]  # fmt: skip


def rendered(source: str, **variables: object) -> str:
    return Sandbox().from_string(source).render(**variables)


@pytest.mark.parametrize(("source", "said"), LARGE)
def test_what_would_be_large_is_refused_before_it_is_made(
    monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    monkeypatch.setattr(template_sizes, "MOST", 2**16)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError) as caught:
            rendered(NESTED + "{% set x = ns.x %}" + source)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(said)


def test_the_error_says_how_much_is_accepted() -> None:
    said = f"would make 4194305 characters, items or bits, accepted: at most {MOST}$"
    with pytest.raises(TooLargeError, match=said):
        rendered("{{ 'a' * 4194305 }}")
    assert len(rendered("{{ 'a' * 4194304 }}")) == MOST


def test_lorem_ipsum_is_no_use_here() -> None:
    assert rendered("{{ lipsum is defined }}") == "False"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 3 }}{{ [1] * 2 }}{{ 3 * 'b' }}{{ 3 * 4.5 }}{{ 2 ** 10 }}{{ 2 ** -1 }}",
        "{{ 'a' + 'b' }}{{ [1] + [2] }}{{ (1,) + (2,) }}{{ 7 % 4 }}{{ 1 ** (10**10) }}{{ 1 + 2 }}",
        "{{ '%s %05.1f %(%)' | replace('%(%)', '%%') | format('x', 2.25) }}{{ '%d%%' % 5 }}",
        "{{ '%(a)s-%(b)5d' % {'a': 'x', 'b': 3} }}{{ '%-5s|%+d|%x' % ('x', 3, 255) }}",
        "{{ '{0} {a:>5} {0!r:.3}'.format('xyz', a=3) }}{{ '{a}'.format_map({'a': 1}) }}",
        "{{ ('<b>'|safe ~ '{}').format('<') }}{{ ('<b>{}'|safe).format('<') }}",
        "{{ 'a' ~ 1 ~ none ~ [2] ~ unknown }}{{ 'a' ~ ('b' ~ 'c') }}",
        "{% autoescape true %}{{ '<' ~ (b | safe) ~ 1 }}{{ ['<', b | safe] | join('&') }}"
        "{% endautoescape %}",
        "{{ 'a' | center(5) }}{{ 'a'.center(5, '-') }}{{ 'a'.ljust(3) }}{{ '5'.zfill(3) }}",
        "{{ 'a\nb\n' | indent }}{{ 'a\nb' | indent('>>', true) }}{{ 'a\nb' | indent(width=2) }}",
        "{{ 'aX' | replace('X', '-') }}{{ 'X' | replace(old='', new='-', count=1) }}",
        "{{ [1, 'b'] | join('|') }}{{ '|'.join(['a', 'b']) }}{{ [{'a': 1}] | join('', 'a') }}",
        "{{ 'XX'.replace('X', '') }}{{ 1.25 | round(1, method='ceil') }}{{ 2.5 | round }}",
        "{{ [1, 2, 3] | batch(2, 'x') | list }}{{ [1, 2, 3] | slice(2) | list }}",
        "{{ [1, 2.5] | sum }}{{ [{'a': 1}] | sum(attribute='a', start=2) }}",
        "{{ 'a b c' | wordwrap(3) }}{{ 'a\tb'.expandtabs(4) }}{{ 'ab'.translate({97: 'xy'}) }}",
        "{{ x | string }}{{ x | upper }}{{ x | pprint }}{{ x | e }}{{ 'a b' | title | urlencode }}",
        "{{ x }}{{ x.items() }}{{ namespace(a=1) }}{{ range(3) }}{{ (5).to_bytes(2, 'big') }}",
        "{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(1) }}{% set s %}{{ m(2) }}{% endset %}{{ s }}",
        "{% filter upper %}a{{ 1 }}{% endfilter %}{% call(a) m2() %}{{ a }}{% endcall %}",
    ],
)  # fmt: skip
def test_all_else_is_as_in_jinjas_own_sandbox(source: str) -> None:
    source = "{% macro m2() %}{{ caller(1) }}{% endmacro %}" + source
    variables = {"b": "<b>", "x": {"a": [1, "naïve 猫", None, 2.5, (True,)]}}
    expected = ImmutableSandboxedEnvironment().from_string(source).render(**variables)
    assert rendered(source, **variables) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
    st.sampled_from([None, 0, 2]),
)
def test_json_is_pythons(value: object, indent: int | None) -> None:
    source = "{{ value | tojson(indent=indent) }}"
    expected = json.dumps(value, ensure_ascii=False, indent=indent)
    assert rendered(source, value=value, indent=indent) == expected


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab") | st.just({1: 2}),
        lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text("ab"), inner),
        max_leaves=30,
    )
)
def test_no_more_is_written_than_is_counted(value: object) -> None:
    assert written(value) >= len(str(value))
