"""The input of a batch: JSON Lines, CSV, TSV and text."""

from __future__ import annotations

from glmcli.api.calls import JsonBody
from glmcli.batching.items import FORMATS, Input, Item, Template, choose_form
from glmcli.errors import UsageError
from tests.fuzz.material import Material, scratch

_TEMPLATES = (None, None, "Say {a}", "{prompt}: {b} {{braces}}", "{", "{}", "{{}}{a}{a}", "nothing", "{ö}{id}")
SEEDS = (
    b'\x00\x00"a prompt"\n{"prompt":"b","system":"s","temperature":1}\n[{"role":"user","content":"c"}]\n',
    b'\x00\x00{"custom_id":"1","url":"/v4/chat/completions","body":{"model":"m","messages":[{"role":"user"}]}}\n',
    b'\x00\x00\xef\xbb\xbf{"id":7,"messages":[{"role":"user","content":[{"type":"text","text":"d"}]}],"stream":true}\r\n',
    b'\x00\x02{"a":"x","b":[1]}\n{"a":null}\n',
    b'\x01\x00id,prompt,b\n1,"two\nlines",x\n2,plain,\n',
    b"\x01\x02\xef\xbb\xbfa;b\tprompt\r\nx\ty\r\n",
    b"\x02\x03prompt\tb\nx\t1\ny\t2\n",
    b"\x03\x00one\n\n  two  \n\xe4\xb8\xad\n",
    b"\x04\x00[1]\n",
)
WORDS = (
    *(
        b'"id":',
        b'"custom_id":',
        b'"prompt":',
        b'"messages":',
        b'"role":',
        b'"body":',
        b'"url":',
        b'"system":',
        b'"model":',
    ),
    *(
        b"\n",
        b"\r\n",
        b"\r",
        b",",
        b"\t",
        b'"',
        b'""',
        b"{",
        b"}",
        b"[",
        b"]",
        b"null",
        b"true",
        b"1e999",
        b"NaN",
        b"[" * 60,
    ),
    *(
        b"\\ud800",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"prompt,",
        b"9" * 64,
        b"\xc2\x85",
        b"\x0c",
        b"\x1c",
    ),
)


def fuzz_batch(data: bytes) -> None:
    """Every line is a question that can be sent, or the line is named; reading twice gives the same."""
    material = Material(data)
    form = material.pick((*FORMATS, ""))
    template = material.pick(_TEMPLATES)
    content = material.rest()
    path = scratch() / "questions"
    path.write_bytes(content)
    chosen = form or choose_form("questions", content[:1024])
    source = Input(path, "questions", chosen, None if template is None or chosen == "text" else Template(template))

    items, refusal = _read(source)

    assert _read(source) == (items, refusal)
    if refusal:
        assert "questions" in refusal
    for item in items:
        assert isinstance(item.id, str)
        assert item.id
        assert item.messages
        assert all("role" in message for message in item.messages)
        assert "stream" not in item.fields
        assert JsonBody({**item.fields, "messages": list(item.messages)}).encode()
    assert [item.line for item in items] == sorted({item.line for item in items})


def _read(source: Input) -> tuple[list[Item], str]:
    items: list[Item] = []
    try:
        for item in source:
            items.append(item)
    except UsageError as error:
        return items, error.message
    return items, ""
