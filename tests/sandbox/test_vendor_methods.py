"""Every public method of zai-sdk 0.2.3, found by walking its client: it works here, or the table says why not.

The table stands in docs/sandbox.md too.
"""

from __future__ import annotations

import inspect
import json
import urllib.request
import wave
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pytest
import zai

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.serve import Server
from glmcli.sandbox.tones import speak
from tests.audio.make import wav
from tests.documents import check_table
from tests.pdf_files import pdf
from tests.sandbox.conftest import png

pytestmark = pytest.mark.filterwarnings("ignore")  # the SDK's own

#: A client of the SDK; it declares no types that would help here.
Client = Any
BOTH = ("zai", "zhipu")
CHINA = ("zhipu",)
SAID: Any = [{"role": "user", "content": "echo: hello"}]
WITHDRAWN = "in no document of the service"


@dataclass(frozen=True)
class Works:
    """A method that is served: `attempt` calls it and looks at the answer."""

    attempt: Callable[[Client], None]
    accounts: tuple[str, ...] = BOTH
    base: str = "/api/paas/v4"
    note: str = ""


@dataclass(frozen=True)
class Missing:
    """A method whose path is 404, and why nothing is there."""

    attempt: Callable[[Client], object]
    reason: str


# -- attempts ----------------------------------------------------------------------------


def _chat(client: Client) -> None:
    reply = client.chat.completions.create(model="glm-5.3", messages=SAID)
    assert reply.choices[0].message.content == "hello"


def _chat_later(client: Client) -> None:
    task = _task_of_chat(client)
    assert (task.task_status, task.model) == ("PROCESSING", "glm-5.3")


def _chat_result(client: Client) -> None:
    done = client.chat.asyncCompletions.retrieve_completion_result(_task_of_chat(client).id)
    assert (done.task_status, done.choices[0].message.content) == ("SUCCESS", "hello")
    assert done.usage.total_tokens > 0


def _task_of_chat(client: Client) -> Any:
    return client.chat.asyncCompletions.create(model="glm-5.3", messages=SAID)


def _image(client: Client) -> None:
    reply = client.images.generations(model="glm-image", prompt="a fox", size="1280x1280")
    assert reply.data[0].url.endswith(".png")


def _image_later(client: Client) -> None:
    assert client.images.async_generations(model="glm-image", prompt="a fox").task_status == "PROCESSING"


def _image_result(client: Client) -> None:
    id = client.images.async_generations(model="glm-image", prompt="a fox").id
    tasks = [client.images.retrieve_images_result(id) for _ in range(3)]
    assert [task.task_status for task in tasks] == ["PROCESSING", "PROCESSING", "SUCCESS"]
    assert tasks[2].image_result[0].url.endswith(".png")


def _video(client: Client) -> None:
    task = client.videos.generations(model="cogvideox-3", prompt="a cat", fps=60, duration=5)
    assert task.task_status == "PROCESSING"


def _video_result(client: Client) -> None:
    id = client.videos.generations(model="cogvideox-3", prompt="a cat").id
    tasks = [client.videos.retrieve_videos_result(id) for _ in range(3)]
    assert [task.task_status for task in tasks] == ["PROCESSING", "PROCESSING", "SUCCESS"]
    assert tasks[2].video_result[0].url.endswith(".mp4")


def _transcription(client: Client) -> None:
    sound = ("a.wav", wav(b"".join(speak("hello there", 8000)), rate=8000))
    whole = client.audio.transcriptions.create(model="glm-asr-2512", file=sound, prompt="before", hotwords=["there"])
    pieces = client.audio.transcriptions.create(model="glm-asr-2512", file=sound, stream=True)
    assert whole.text == "hello there"
    assert "".join(getattr(piece, "delta", None) or "" for piece in pieces) == "hello there"


def _speech(client: Client) -> None:
    reply = client.audio.speech(model="glm-tts", input="hello", voice="tongtong", response_format="wav")
    with wave.open(BytesIO(reply.content)) as sound:
        assert (sound.getframerate(), sound.getnframes() > 0) == (24000, True)


def _web_search(client: Client) -> None:
    engine = "search-prime" if isinstance(client, zai.ZaiClient) else "search_pro"
    reply = client.web_search.web_search(search_engine=engine, search_query="rust", search_intent=False, count=3)
    # The SDK declares one object where the service sends a list, and keeps the list.
    assert [result["refer"] for result in reply.model_dump()["search_result"]] == ["ref_1", "ref_2", "ref_3"]


def _reader(client: Client) -> None:
    page = client.web_reader.web_reader(url="https://example.com/post", timeout=30).reader_result
    assert (page.url, bool(page.content)) == ("https://example.com/post", True)


def _layout(client: Client) -> None:
    import base64

    file = "data:application/pdf;base64," + base64.b64encode(pdf(2)).decode()
    reply = client.layout_parsing.create(model="glm-ocr", file=file)
    assert (len(reply.layout_details), bool(reply.md_results)) == (2, True)


def _handwriting(client: Client) -> None:
    reply = client.ocr.handwriting_ocr(file=("a.png", png()), tool_type="hand_write", probability=True)
    assert (reply.status, reply.words_result_num) == ("succeeded", len(reply.words_result))


def _invoke(client: Client) -> None:
    reply = client.agents.invoke(
        agent_id="general_translation",
        messages=[{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        custom_variables={"target_lang": "ja"},
    )
    assert (reply.agent_id, reply.choices[0].finish_reason) == ("general_translation", "stop")


def _async_result(client: Client) -> None:
    parts = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": "https://example.com/a.png"}]
    messages = [{"role": "user", "content": parts}]
    agent = {"agent_id": "vidu_template_agent"}
    task = client.agents.invoke(**agent, messages=messages, custom_variables={"template": "bodyshake"})
    results = [client.agents.async_result(**agent, async_id=task.async_id) for _ in range(3)]
    assert [result.status for result in results] == ["pending", "pending", "success"]


def _upload(client: Client) -> None:
    reply = client.files.create(file=("a.pdf", pdf(1)), purpose="agent")
    assert (reply.filename, reply.purpose, reply.bytes) == ("a.pdf", "agent", len(pdf(1)))


def _files(client: Client) -> None:
    file = _input(client)
    listed = client.files.list(purpose="batch", limit=1)
    assert [entry.id for entry in listed.data] == [file.id]


def _download(client: Client) -> None:
    assert b"custom_id" in client.files.content(_input(client).id).content


def _forget(client: Client) -> None:
    id = _input(client).id
    assert client.files.delete(id).deleted is True
    with pytest.raises(zai.core.APIStatusError):
        client.files.content(id)


def _batch(client: Client) -> None:
    assert _batch_of(client, completion_window="24h").status == "validating"


def _batch_state(client: Client) -> None:
    id = _batch_of(client).id
    states = [client.batches.retrieve(id) for _ in range(3)]
    assert [batch.status for batch in states] == ["in_progress", "finalizing", "completed"]
    assert b"hello" in client.files.content(states[2].output_file_id).content


def _batches(client: Client) -> None:
    batch = _batch_of(client)
    assert batch.id in [entry.id for entry in client.batches.list(limit=100)]


def _cancel(client: Client) -> None:
    assert client.batches.cancel(_batch_of(client).id).status == "cancelling"


def _input(client: Client) -> Any:
    body = {"model": "glm-4.7", "messages": SAID}
    line = {"custom_id": "job-001", "method": "POST", "url": "/v4/chat/completions", "body": body}
    return client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")


def _batch_of(client: Client, **fields: Any) -> Any:
    return client.batches.create(endpoint="/v4/chat/completions", input_file_id=_input(client).id, **fields)


def _embeddings(client: Client) -> None:
    reply = client.embeddings.create(model="embedding-3", input=["hello", "there"], dimensions=256)
    assert [(entry.index, len(entry.embedding)) for entry in reply.data] == [(0, 256), (1, 256)]
    assert reply.usage.total_tokens > 0


def _moderation(client: Client) -> None:
    reply = client.moderations.create(model="moderation", input="hello [reject violence]").model_dump()
    assert [verdict["risk_level"] for verdict in reply["result_list"]] == ["REJECT"]


def _clone(client: Client) -> None:
    voice = _voice_of(client, "mine").voice
    spoken = client.audio.speech(model="glm-tts", input="hello", voice=voice, response_format="wav")
    assert spoken.content.startswith(b"RIFF")
    with pytest.raises(zai.core.APIStatusError):
        _voice_of(client, "mine")


def _voices(client: Client) -> None:
    voice = _voice_of(client, "listed").voice
    (found,) = client.voice.list(voice_type="PRIVATE", voice_name="liste").voice_list
    assert (found.voice, found.voice_name) == (voice, "listed")
    with urllib.request.urlopen(found.download_url) as reply:
        assert reply.read(4) == b"RIFF"
    assert "tongtong" in [entry.voice for entry in client.voice.list(voice_type="OFFICIAL").voice_list]


def _forget_voice(client: Client) -> None:
    voice = _voice_of(client, "away").voice
    assert client.voice.delete(voice=voice).voice == voice
    with pytest.raises(zai.core.APIStatusError):
        client.voice.delete(voice=voice)


def _voice_of(client: Client, name: str) -> Any:
    sample = client.files.create(
        file=("a.wav", wav(b"".join(speak("hi", 8000)), rate=8000)), purpose="voice-clone-input"
    )
    return client.voice.clone(model="glm-tts-clone", voice_name=name, text="hi", input="hello", file_id=sample.id)


def _parsing(client: Client) -> None:
    assert client.file_parser.create(file=TEXT, file_type="txt", tool_type="lite").success is True


def _parsing_at_once(client: Client) -> None:
    done = client.file_parser.create_sync(file=TEXT, file_type="txt", tool_type="prime-sync")
    assert (done.status, "cat=Katze" in done.content) == ("succeeded", True)


def _parsed(client: Client) -> None:
    id = client.file_parser.create(file=TEXT, file_type="txt", tool_type="expert").task_id
    replies = [client.file_parser.content(id, format_type="text").json() for _ in range(3)]
    assert [reply["status"] for reply in replies] == ["processing", "processing", "succeeded"]
    assert "cat=Katze" in replies[2]["content"]
    url = client.file_parser.content(id, format_type="download_link").json()["parsing_result_url"]
    with urllib.request.urlopen(url) as reply:
        assert reply.read().decode() == replies[2]["content"]


TEXT = ("terms.txt", b"cat=Katze")


# -- the table ---------------------------------------------------------------------------

_AGENT_NOTE = "with the base URL `…/api`; the SDK's own default makes a path that is 404 (docs/agents.md)"

METHODS: Mapping[str, Works | Missing] = {
    "chat.completions.create": Works(_chat),
    "chat.asyncCompletions.create": Works(_chat_later),
    "chat.asyncCompletions.retrieve_completion_result": Works(_chat_result),
    "images.generations": Works(_image),
    "images.async_generations": Works(_image_later),
    "images.retrieve_images_result": Works(_image_result),
    "videos.generations": Works(_video),
    "videos.retrieve_videos_result": Works(_video_result),
    "audio.transcriptions.create": Works(_transcription, note="`hotwords` of one word: the SDK refuses two"),
    "audio.speech": Works(_speech, CHINA),
    "audio.customization": Missing(
        lambda client: client.audio.customization(
            model="cogtts", input="hi", voice_text="hi", voice_data=("a.wav", b"x"), response_format="wav"
        ),
        f"{WITHDRAWN}: cogtts is gone",
    ),
    "web_search.web_search": Works(_web_search),
    "web_reader.web_reader": Works(_reader, note="`timeout` as an integer (the SDK declares text)"),
    "tools.web_search": Missing(
        lambda client: client.tools.web_search(model="web-search-pro", messages=SAID),
        f"{WITHDRAWN}: `/tools` became `/web_search`",
    ),
    "layout_parsing.create": Works(_layout),
    "ocr.handwriting_ocr": Works(_handwriting, CHINA),
    "agents.invoke": Works(_invoke, base="/api", note=_AGENT_NOTE),
    "agents.async_result": Works(_async_result, ("zai",), base="/api", note=_AGENT_NOTE),
    "files.create": Works(_upload),
    "files.list": Works(_files, CHINA),
    "files.content": Works(_download, CHINA),
    "files.delete": Works(_forget, CHINA),
    "batches.create": Works(_batch, CHINA, note="the withdrawn `completion_window` is passed over"),
    "batches.retrieve": Works(_batch_state, CHINA),
    "batches.list": Works(_batches, CHINA),
    "batches.cancel": Works(_cancel, CHINA),
    "embeddings.create": Works(_embeddings, CHINA),
    "moderations.create": Works(_moderation, CHINA),
    "voice.clone": Works(_clone, CHINA),
    "voice.list": Works(_voices, CHINA),
    "voice.delete": Works(_forget_voice, CHINA),
    "file_parser.create": Works(_parsing, CHINA),
    "file_parser.create_sync": Works(_parsing_at_once, CHINA, note="`status` is a text; the SDK declares a boolean"),
    "file_parser.content": Works(_parsed, CHINA),
    "assistant.conversation": Missing(lambda client: client.assistant.conversation("id", SAID), WITHDRAWN),
    "assistant.query_support": Missing(lambda client: client.assistant.query_support(), WITHDRAWN),
    "assistant.query_conversation_usage": Missing(
        lambda client: client.assistant.query_conversation_usage("id"), WITHDRAWN
    ),
}
SERVED = {name: method for name, method in METHODS.items() if isinstance(method, Works)}
NOT_SERVED = {name: method for name, method in METHODS.items() if isinstance(method, Missing)}


# -- the proofs --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service() -> Iterator[Server]:
    with Server(Sandbox()) as server:
        yield server


def sdk(service: Server, account: str, base: str = "/api/paas/v4") -> Client:
    """The SDK's client of an account's region."""
    assert isinstance(service.sandbox, Sandbox)
    kind = zai.ZaiClient if service.sandbox.accounts[account].region == "intl" else zai.ZhipuAiClient
    return kind(api_key=service.sandbox.keys[account], base_url=service.address + base, max_retries=0)


def public_methods(owner: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Dotted names of all methods of the resources that hang on a client; its own are HTTP and no resource."""
    for name in dir(type(owner)):
        if name.startswith("_"):
            continue
        value = getattr(owner, name)
        if type(value).__module__.startswith("zai.api_resource"):
            yield from public_methods(value, (*path, name))
        elif path and inspect.isroutine(inspect.getattr_static(type(owner), name)):
            yield ".".join((*path, name))


def test_the_table_names_every_method_of_the_sdk(service: Server) -> None:
    """None is forgotten, none is invented; both of the SDK's clients have the same ones."""
    for account in BOTH:
        assert sorted(METHODS) == sorted(public_methods(sdk(service, account)))


@pytest.mark.parametrize(
    ("name", "account"), [(name, account) for name, method in SERVED.items() for account in method.accounts]
)
def test_a_method_works(service: Server, name: str, account: str) -> None:
    """Called as its documents say, it finds in the answer what it looks for."""
    method = SERVED[name]
    method.attempt(sdk(service, account, method.base))


@pytest.mark.parametrize(
    ("name", "account"),
    [
        *((name, account) for name in NOT_SERVED for account in BOTH),
        *((name, "zai") for name, method in SERVED.items() if method.accounts == CHINA),
    ],
)
def test_a_method_that_is_not_there_is_404(service: Server, name: str, account: str) -> None:
    """So the table is not stale: what is served, or served at Z.AI too, must move in it."""
    with pytest.raises(zai.core.APIStatusError) as raised:
        METHODS[name].attempt(sdk(service, account))
    # Z.AI takes files for agents alone: neither batch nor voice gets as far as its own path there.
    assert raised.value.status_code == (400 if name in NEEDS_A_FILE else 404)


NEEDS_A_FILE = tuple(name for name in METHODS if name.startswith(("batches", "files", "voice")))


@pytest.mark.parametrize("name", ["agents.invoke", "agents.async_result"])
def test_agents_are_404_at_the_default_base(service: Server, name: str) -> None:
    """The path that the SDK makes of its default base does not exist."""
    with pytest.raises(zai.core.APIStatusError) as raised:
        METHODS[name].attempt(sdk(service, "zai"))
    assert raised.value.status_code == 404


def test_the_document_holds_the_table(request: pytest.FixtureRequest) -> None:
    """docs/sandbox.md says the same as this file."""
    rows = [
        (f"`{name}`", _where(method), method.note if isinstance(method, Works) else method.reason)
        for name, method in METHODS.items()
    ]
    head = ("Method", "Works with keys of", "Note, or why not")
    check_table("sandbox.md", "zai-sdk", head, rows, update=request.config.getoption("--update-golden"))


def _where(method: Works | Missing) -> str:
    names = {BOTH: "both", CHINA: "Zhipu", ("zai",): "Z.AI"}
    return names[method.accounts] if isinstance(method, Works) else "–"
