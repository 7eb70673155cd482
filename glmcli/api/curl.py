"""A call as one `curl` command that a shell can run as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from glmcli.api.calls import Call, JsonBody

#: Linux takes at most 128 KiB as one argument; longer bodies come by a here-document.
_LONGEST_ARGUMENT_BYTES = 100_000
_END = "GLM_BODY"


def curl_command(call: Call, url: str, headers: Mapping[str, str], secret_headers: Mapping[str, str]) -> str:
    """The command for `--dry-run`.

    `secret_headers` maps a header's name to text in which the key stands as
    `$VARIABLE`; it is put into double quotes so that the shell fills it in.
    """
    words = ["curl", "-sS"]
    if "text/event-stream" in headers.get("Accept", ""):
        words.append("-N")
    if call.method != "GET":
        words += ["-X", call.method]
    words.append(quote(url))
    for name, value in secret_headers.items():
        words += ["-H", f'"{name}: {value}"']
    for name, value in headers.items():
        words += ["-H", quote(f"{name}: {value}")]
    return _with_body(words, call)


def _with_body(words: list[str], call: Call) -> str:
    body = call.body
    if body is None:
        return " ".join(words)
    curl_words = getattr(body, "curl_words", None)
    if curl_words is not None:  # a form, whose files curl reads itself
        return " ".join([*words, *curl_words()])
    words += ["-H", quote(f"Content-Type: {body.content_type}")]
    data = body.encode() if isinstance(body, JsonBody) else b"".join(body.chunks())
    written = data.decode("utf-8", "surrogateescape")
    if len(data) <= _LONGEST_ARGUMENT_BYTES:
        return " ".join([*words, "--data-raw", quote(written)])
    return " ".join([*words, "--data-binary", "@-", f"<<'{_END}'"]) + f"\n{written}\n{_END}"
