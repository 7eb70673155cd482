"""What `glm` sends otherwise than the vendor's SDK on purpose; docs/differences.md repeats this table."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.differential.recorder import ABSENT, Difference


@dataclass(frozen=True)
class Allowed:
    """A difference and its reason. `*` stands for anything in field and values; `wish` says which may differ."""

    field: str
    sdk: str
    glm: str
    reason: str
    wish: str = "*"

    def covers(self, wish: str, difference: Difference) -> bool:
        """Whether this is that difference."""
        pairs = zip((wish, *difference), (self.wish, self.field, self.sdk, self.glm), strict=True)
        return all(fnmatchcase(value, pattern) for value, pattern in pairs)


_IDENTITY = "the SDK's identity; another client says honestly who it is"

ALLOWED = (
    Allowed("header.user-agent", "python-httpx/*", "glmcli/*", _IDENTITY),
    Allowed("header.zai-sdk-ver", "*", ABSENT, _IDENTITY),
    Allowed("header.source-type", "*", ABSENT, _IDENTITY),
    Allowed("header.x-request-sdk", "*", ABSENT, _IDENTITY),
    Allowed("header.x-source-channel", "*", ABSENT, _IDENTITY),
    Allowed("header.accept-language", "en-US,en", ABSENT, "the service's default, and the only value of its schema"),
    Allowed(
        "header.accept-encoding", "gzip, deflate*", "identity", "pieces of a stream are not held back by a compressor"
    ),
    Allowed(
        "header.accept", "application/json", "text/event-stream", "what a stream is; the service looks at `stream`"
    ),
    Allowed("header.accept", "application/binary", "*/*", "a file is of any type, and there is no type of that name"),
    Allowed("header.accept", "application/json", "*/*", "sound is no JSON, and `glm api` takes what comes"),
    Allowed("header.content-type", "application/json; charset=UTF-8", "application/json", "JSON is UTF-8 (RFC 8259)"),
    Allowed("header.content-type", "application/json; charset=UTF-8", ABSENT, "a GET has no body"),
    Allowed("path", "/api/paas/v4/v1/agents", "/api/v1/agents", "the SDK's path is 404"),
    Allowed("body.*", "null", ABSENT, "what was not asked for is left out; no schema allows null"),
    Allowed("body.stream", "false", ABSENT, "the service's default", wish="speech"),
    Allowed("body.stream", ABSENT, "false", "the default differs between agents, and compatible services"),
    Allowed("body.temperature", "0.99", "1.0", "the SDK cuts it off; the documents allow 1"),
    Allowed("body.top_p", "0.99", "1.0", "the SDK cuts it off; the documents allow 1"),
    Allowed("body.temperature", "0.01", "0.0", "the SDK raises it; the documents allow 0"),
    Allowed("body.do_sample", "false", ABSENT, "the SDK adds it to a temperature of 0; nobody asked for it"),
    Allowed(
        "body.messages.*.image_url.url",
        '"iVBOR*',
        '"data:image/png;base64,iVBOR*',
        "the SDK cuts off what says the type; the documents show whole data URLs",
    ),
    Allowed(
        "body.messages.1.reasoning_content",
        "*",
        ABSENT,
        "of earlier answers; the service drops it unless `clear_thinking` is false or a plan pays",
        wish="a second question",
    ),
    Allowed("body.search_intent", ABSENT, "false", "the schema of BigModel requires it"),
    Allowed("body.timeout", '"30"', "30", "the SDK declares a text; the documents of both regions an integer"),
    Allowed("body.return_format", ABSENT, '"markdown"', "the output is rendered by it; it is the default anyway"),
    Allowed("form.hotwords[]", "*", ABSENT, "the SDK's spelling of a list, which fails at the second word"),
    Allowed("form.hotwords", ABSENT, "*", "the field is repeated, once for each word"),
    Allowed(
        "form.file:type", "*/*", "*/*", "by the ending of the file, where the SDK guesses by the tables of the machine"
    ),
    Allowed("form.file:filename", "talk.wav", "audio.wav", "a recording goes out in pieces, and its name is nobody's"),
    Allowed(
        "form.file:filename", "prompts.jsonl", "part-001.jsonl", "a batch goes out in parts that the service takes"
    ),
    Allowed(
        "form.file.custom_id",
        '"job-001"',
        '"*-job-001"',
        "answers find back to their line, whatever ids the lines have",
    ),
    Allowed("query.limit", "5", "100", "the largest page is asked for, and cut here", wish="a list of files"),
    Allowed("body.metadata.glm_*", ABSENT, "*", "finds a batch again whose answer was lost"),
    Allowed("body.auto_delete_input_file", "true", ABSENT, "the service's default"),
)
