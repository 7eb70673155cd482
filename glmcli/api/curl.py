"""A call as one `curl` command that a shell can run as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from glmcli.api.calls import Call, JsonBody


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
    return " ".join(words + _body_words(call))


def _body_words(call: Call) -> list[str]:
    if call.body is None:
        return []
    if isinstance(call.body, JsonBody):
        return [
            "-H",
            quote(f"Content-Type: {call.body.content_type}"),
            "--data-raw",
            quote(call.body.encode().decode()),
        ]
    curl_words = getattr(call.body, "curl_words", None)
    if curl_words is not None:
        return list(curl_words())
    return ["-H", quote(f"Content-Type: {call.body.content_type}"), "--data-binary", "@-"]
