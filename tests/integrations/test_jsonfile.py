"""JSON edits that leave the rest of the text alone."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glmcli.errors import ConfigError
from glmcli.integrations.jsonfile import JsonDocument, Match


def edited(text: str, path: tuple[str | Match, ...], value: object) -> str:
    document = JsonDocument(text, name="settings.json")
    document.set(path, value)
    return document.text


COMMENTED = dedent(
    """\
    // mine
    {
        "model": "opus", // the big one
        /* kept
           as it is */
        "env": {
            "FOO": "1",   "BAR": "2",
        },
        "list": [1, 2],   // odd   spacing
    }
    """
)


def test_a_replaced_value_leaves_every_other_character() -> None:
    """Comments, order, spacing and trailing commas stay."""
    assert edited(COMMENTED, ("model",), "glm") == COMMENTED.replace('"opus"', '"glm"')


def test_a_new_member_follows_the_last_one_in_its_style() -> None:
    """Indentation and the trailing comma are those of the neighbours."""
    assert edited(COMMENTED, ("theme",), "dark") == COMMENTED.replace(
        "// odd   spacing\n", '// odd   spacing\n    "theme": "dark",\n'
    )


def test_a_member_without_trailing_comma_gets_one_before_its_comment() -> None:
    """The comma goes behind the value, not into the comment."""
    assert edited('{\n  "a": 1 // one\n}\n', ("b",), 2) == '{\n  "a": 1, // one\n  "b": 2\n}\n'


def test_missing_objects_are_made_on_the_way() -> None:
    """A nested path into an empty file gives indented JSON."""
    assert edited("", ("env", "A"), "1") == '{\n  "env": {\n    "A": "1"\n  }\n}'


def test_a_one_line_object_stays_on_its_line() -> None:
    """What was compact remains compact."""
    assert edited('{"a": {"b": 1}}', ("a", "c"), [1]) == '{"a": {"b": 1, "c": [1]}}'


def test_an_item_of_an_array_is_found_by_a_field() -> None:
    """The second set replaces the same item, and other items stay."""
    path = ("models", Match("slug", "glm"))
    once = edited('{"models": [{"slug": "x"}]}', path, {"slug": "glm", "n": 1})

    twice = edited(once, path, {"slug": "glm", "n": 2})

    assert json.loads(twice) == {"models": [{"slug": "x"}, {"slug": "glm", "n": 2}]}


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n', "a", '{\n  "b": 2,\n  "c": 3\n}\n'),
        ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n', "b", '{\n  "a": 1,\n  "c": 3\n}\n'),
        ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}\n', "c", '{\n  "a": 1,\n  "b": 2\n}\n'),
        ('{\n  "a": 1, // x\n  "b": 2,\n}', "b", '{\n  "a": 1, // x\n}'),
        ('{"a": 1, "b": 2, "c": 3}', "b", '{"a": 1, "c": 3}'),
        ('{"a": 1, "b": 2}', "b", '{"a": 1}'),
        ('{\n  "a": 1\n}', "a", "{}"),
        ('{"a": 1}', "z", '{"a": 1}'),
    ],
    ids=["first", "middle", "last", "trailing-comma", "inline-middle", "inline-last", "only", "absent"],
)
def test_a_deleted_member_leaves_valid_text(text: str, path: str, expected: str) -> None:
    """Commas are put right around the gap."""
    document = JsonDocument(text, name="x")

    document.delete((path,))

    assert document.text == expected


def test_windows_line_endings_and_a_byte_order_mark_stay() -> None:
    """The text is not normalised."""
    assert edited('\ufeff{\r\n\t"a": 1\r\n}\r\n', ("b",), {"c": 2}) == (
        '\ufeff{\r\n\t"a": 1,\r\n\t"b": {\r\n\t\t"c": 2\r\n\t}\r\n}\r\n'
    )


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3),
        ('{"a": tru}', 1, 7),
        ('{"a": "x\n"}', 1, 9),
        ('{"a": 1', 1, 8),
        ("{'a': 1}", 1, 2),
        ("{} {}", 1, 4),
        ("/* open", 1, 1),
        ("[" * 5000, 1, 202),
    ],
    ids=["comma", "word", "string", "end", "quote", "tail", "comment", "depth"],
)
def test_broken_text_is_named_by_line_and_column(text: str, line: int, column: int) -> None:
    """The user finds the place."""
    with pytest.raises(ConfigError, match=rf"settings.json.*line {line}, column {column}\b"):
        JsonDocument(text, name="settings.json")


def test_a_value_in_the_way_is_not_overwritten() -> None:
    """`env` that is a list is the user's to mend."""
    with pytest.raises(ConfigError, match=r"line 1, column 9: env should be an object"):
        edited('{"env": []}', ("env", "A"), 1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)


@given(OBJECTS, st.sampled_from([None, 2, "\t"]), st.text(max_size=4), VALUES)
def test_every_document_takes_every_member(
    before: dict[str, object], indent: int | str | None, name: str, value: object
) -> None:
    """The edited text reads as the edited value, whatever the layout."""
    text = edited(json.dumps(before, indent=indent), (name,), value)

    assert json.loads(text) == {**before, name: value}


@given(OBJECTS.filter(bool), st.sampled_from([2, "\t"]), VALUES)
def test_setting_and_deleting_restores_the_text(before: dict[str, object], indent: int | str, value: object) -> None:
    """What was added can be taken away without a trace."""
    text = json.dumps(before, indent=indent)
    document = JsonDocument(text, name="x")

    document.set(("a new name",), value)
    document.delete(("a new name",))

    assert document.text == text


GAPS = st.sampled_from(["", " ", "\n", "\n  ", "\r\n\t", " // c\n", "/* b */"])
SCALARS = st.sampled_from(["1", '"a\\"b // c"', "null", "true", "-1.5e3"])


@st.composite
def layouts(draw: st.DrawFn, depth: int = 0) -> str:
    """An object as an untidy person writes it: gaps and comments anywhere, trailing commas."""
    members = []
    for number in range(draw(st.integers(1 if depth == 0 else 0, 3))):
        value = draw(SCALARS if depth == 2 else st.one_of(SCALARS, layouts(depth + 1)))
        gaps = [draw(GAPS) for _ in range(4)]
        members.append(f'{gaps[0]}"k{number}"{gaps[1]}:{gaps[2]}{value}{gaps[3]}')
    end = "," + draw(GAPS) if bool(members) and draw(st.booleans()) else ""
    return "{" + (",".join(members) or draw(GAPS)) + end + "}"


def remarks(text: str) -> int:
    return text.count("// c\n") + text.count("/* b */")


@given(layouts())
def test_no_layout_loses_a_comment_or_a_value(text: str) -> None:
    """Adding to and taking from the untidiest file changes what was meant and nothing else."""
    document = JsonDocument(text, name="x")
    before = document.get(())
    assert isinstance(before, dict)

    document.set(("new", "inner"), {"a": [1]})
    assert document.get(()) == {**before, "new": {"inner": {"a": [1]}}}
    document.delete(("new",))
    assert document.get(()) == before
    assert remarks(document.text) == remarks(text)

    document.delete(("k0",))
    assert document.get(()) == {name: value for name, value in before.items() if name != "k0"}
