"""The same wish, said to the vendor's SDK and to `glm`: the requests are compared field by field.

Paths, headers, queries, bodies and forms. What differs stands in `ALLOWED` with its reason.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import zai

from glmcli.sandbox.app import Recorded
from tests.differential.allowed import ALLOWED
from tests.differential.intents import INTENTS, Intent, write_files
from tests.differential.recorder import ABSENT, Difference, differences, fields_of
from tests.documents import check_table
from tests.harness import Changes, Glm, ScriptedServer

pytestmark = pytest.mark.filterwarnings("ignore")  # the SDK's own

Compare = Callable[[Intent], list[Difference]]


@pytest.fixture
def compare(glm: Glm, server: ScriptedServer) -> Compare:
    """Says a wish to both and compares what arrives."""
    write_files()

    def run(intent: Intent) -> list[Difference]:
        env = _env(server, intent.account)
        if intent.before:
            assert glm(*intent.before, env=env).exit_code == 0
        start = len(server.requests)
        said = intent.ask(_sdk(server, intent.account))
        middle = len(server.requests)
        result = glm(*intent.command(said), env=env)
        assert result.exit_code == 0, result.stderr
        sent = list(server.requests)
        return differences(_last(sent[start:middle], intent), _last(sent[middle:], intent))

    return run


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
def test_both_send_the_same(compare: Compare, intent: Intent) -> None:
    """Every field that differs has its reason."""
    found = compare(intent)
    unexplained = [
        difference for difference in found if not any(row.covers(intent.name, difference) for row in ALLOWED)
    ]
    assert unexplained == []


def test_every_reason_is_needed(compare: Compare) -> None:
    """A row that nothing needs any more is removed."""
    found = [(intent.name, difference) for intent in INTENTS for difference in compare(intent)]
    assert [row.field for row in ALLOWED if not any(row.covers(*pair) for pair in found)] == []


def test_the_document_holds_the_differences(request: pytest.FixtureRequest) -> None:
    """docs/differences.md says the same as `ALLOWED`."""
    rows = [
        (f"`{row.field}`", *map(_shown, (row.sdk, row.glm)), "any" if row.wish == "*" else row.wish, row.reason)
        for row in ALLOWED
    ]
    _check("differences", ("Field", "SDK", "glm", "Wish", "Why"), rows, request)


def test_the_document_holds_the_wishes(request: pytest.FixtureRequest) -> None:
    """docs/differences.md says what is compared."""
    rows = [(intent.name, f"`glm {shlex.join(intent.argv)}`", f"`{intent.method} {intent.path}`") for intent in INTENTS]
    _check("wishes", ("Wish", "Command", "Compared request"), rows, request)


def test_a_difference_is_seen() -> None:
    """Another value, another type of the same value, a field too many, another file, another path."""
    json_head, form_head = {"content-type": "application/json"}, {"content-type": "multipart/form-data; boundary=b"}
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\nx\r\n--b--\r\n'

    def json_request(body: bytes, path: str = "/a") -> Recorded:
        return Recorded("POST", path, {}, json_head, body)

    def form_request(name: bytes) -> Recorded:
        return Recorded("POST", "/a", {}, form_head, form % name)

    assert differences(json_request(b'{"a": [1, {}]}'), json_request(b'{"a":[1,{}]}')) == []
    assert differences(json_request(b'{"a": [1]}'), json_request(b'{"a": ["1"], "b": {}}')) == [
        Difference("body.a.0", "1", '"1"'),
        Difference("body.b", ABSENT, "{}"),
    ]
    assert differences(json_request(b"{}"), json_request(b"{}", "/b")) == [Difference("path", "/a", "/b")]
    assert differences(form_request(b"a"), form_request(b"b")) == [Difference("form.file:filename", "a", "b")]
    assert fields_of(form_request(b"a"))["form.file"] == "b'x'"


def _sdk(server: ScriptedServer, account: str) -> Any:
    kind = zai.ZaiClient if account.startswith("zai") else zai.ZhipuAiClient
    base = "/api/coding/paas/v4" if account.endswith("-coding") else "/api/paas/v4"
    return kind(api_key=server.keys[account], base_url=server.address + base, max_retries=0)


def _env(server: ScriptedServer, account: str) -> Changes:
    """The key of this account and no other."""
    return {"ZAI_API_KEY": None, f"{account.upper().replace('-', '_')}_API_KEY": server.keys[account]}


def _last(requests: Sequence[Recorded], intent: Intent) -> Recorded:
    return next(
        request for request in reversed(requests) if request.method == intent.method and intent.path in request.path
    )


def _shown(value: str) -> str:
    return value if value == ABSENT else f"`{value}`"


def _check(name: str, head: Sequence[str], rows: Sequence[Sequence[str]], request: pytest.FixtureRequest) -> None:
    check_table("differences.md", name, head, rows, update=request.config.getoption("--update-golden"))
