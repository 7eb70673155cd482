"""Layout parsing, agents and kept files: strict about requests, honest about results."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from glmcli.sandbox.app import Sandbox
from glmcli.sandbox.exchange import Refusal
from glmcli.sandbox.ocr import count_pages
from tests.pdf_files import pdf
from tests.sandbox.conftest import Answer, Caller, png

LAYOUT = "/api/paas/v4/layout_parsing"
FILES = "/api/paas/v4/files"
AGENTS = "/api/v1/agents"


def uri(data: bytes, kind: str = "application/pdf") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def layout(call: Caller, file: str, *, key: str = "zai", **fields: Any) -> Answer:
    return call("POST", LAYOUT, {"model": "glm-ocr", "file": file, **fields}, key=key)


# -- layout parsing ----------------------------------------------------------------------------


def test_a_layout_is_made_of_the_bytes(call: Caller) -> None:
    """Hash and pages of what arrived; a list of blocks per page, sizes beside them."""
    data = pdf(3, packed=True)
    body = layout(call, uri(data)).json
    assert hashlib.sha256(data).hexdigest() in body["md_results"]
    assert "3 pages" in body["md_results"]
    assert [len(page) for page in body["layout_details"]] == [3, 3, 3]
    assert body["data_info"] == {"num_pages": 3, "pages": [{"width": 1240, "height": 1754}] * 3}
    assert body["usage"]["total_tokens"] > 0
    assert "layout_visualization" not in body


def test_a_picture_has_its_own_size(call: Caller) -> None:
    """Width and height are those of the file."""
    body = layout(call, uri(png(), "image/png")).json
    assert body["data_info"]["pages"] == [{"width": 3, "height": 2}]


def test_pages_are_chosen(call: Caller) -> None:
    """From one, ends included; the last page bounds the range."""
    text = layout(call, uri(pdf(5)), start_page_id=4, end_page_id=9).json["md_results"]
    assert ("# Page 4 of" in text, "# Page 5 of" in text, "# Page 3 of" in text) == (True, True, False)
    assert "page=0,bbox" in text  # counted within the answer


def test_cut_outs_and_drawn_pages_can_be_fetched(call: Caller) -> None:
    """Addresses of real pictures, without a key."""
    body = layout(call, uri(pdf(1)), return_crop_images=True, need_layout_visualization=True).json
    crop = body["layout_details"][0][2]["content"]
    for url in (crop, body["layout_visualization"][0]):
        answer = call("GET", url.removeprefix(call.server.address), key=None)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
        assert answer.data.startswith(b"\x89PNG")


@pytest.mark.parametrize(("key", "limit"), [("zai", 30), ("zhipu", 100)])
def test_page_limits_of_the_regions(call: Caller, key: str, limit: int) -> None:
    """30 at Z.AI, 100 at Zhipu, for a document and for a range of one."""
    assert layout(call, uri(pdf(limit)), key=key).status == 200
    refused = layout(call, uri(pdf(limit + 1)), key=key)
    assert (refused.status, refused.code) == (400, "1214")
    assert str(limit) in refused.message
    assert layout(call, uri(pdf(limit + 1)), key=key, start_page_id=2).status == 200


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"file": None}, "1213", "file"),
        ({"model": None}, "1213", "model"),
        ({"model": "glm-5.3"}, "1211", "Model"),
        ({"file": base64.b64encode(pdf(1)).decode()}, "1214", "only PDF, JPG and PNG"),
        ({"file": uri(b"hello")}, "1214", "only PDF"),
        ({"file": uri(png(), "image/webp")}, "1214", "only PDF"),
        ({"file": "data:application/pdf;base64,$$"}, "1214", "file"),
        ({"start_page_id": 0}, "1214", "start_page_id"),
        ({"start_page_id": 2, "end_page_id": 1}, "1214", "start_page_id"),
        ({"start_page_id": 3}, "1214", "start_page_id"),
        ({"file": uri(png(), "image/png"), "start_page_id": 1}, "1214", "PDF files only"),
        ({"return_crop_images": "yes"}, "1214", "return_crop_images"),
        ({"request_id": "short"}, "1214", "request_id"),
        ({"prompt": "read this"}, "1210", "prompt"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_layout_checks(call: Caller, change: dict[str, Any], code: str, word: str) -> None:
    """The documented fields and limits, no others."""
    body = {"model": "glm-ocr", "file": uri(pdf(2)), **change}
    refused = call("POST", LAYOUT, body)
    assert (refused.status, refused.code) == (400, code)
    assert word in refused.message


def test_large_pictures_are_refused(call: Caller) -> None:
    """Above 10 MB."""
    refused = layout(call, uri(png() + bytes(10 * 1024 * 1024), "image/png"))
    assert (refused.code, "10 MB" in refused.message) == ("1214", True)


def test_a_plan_does_not_pay_for_it(call: Caller) -> None:
    """1113 for the key of a plan."""
    assert layout(call, uri(pdf(1)), key="zai-coding").code == "1113"


def test_damaged_streams_are_refused() -> None:
    """A PDF that cannot be unpacked is damaged."""
    with pytest.raises(Refusal):
        count_pages(pdf(3, packed=True, encrypted=True))


def handwriting(call: Caller, *, key: str, tool: str = "hand_write") -> Answer:
    connection = call.connect()
    head = "Content-Disposition: form-data; name="
    form = (
        f'--b\r\n{head}"tool_type"\r\n\r\n{tool}\r\n--b\r\n{head}"probability"\r\n\r\ntrue\r\n'
        f'--b\r\n{head}"file"; filename="a.png"\r\n\r\n'
    )
    headers = {"Authorization": f"Bearer {call.sandbox.keys[key]}", "Content-Type": "multipart/form-data; boundary=b"}
    try:
        connection.request("POST", f"{FILES}/ocr", form.encode() + png() + b"\r\n--b--\r\n", headers)
        response = connection.getresponse()
        return Answer(response.status, {}, response.read())
    finally:
        connection.close()


def test_handwriting_of_zhipu(call: Caller) -> None:
    """Words with places and probabilities; Z.AI documents none."""
    body = handwriting(call, key="zhipu").json
    assert (body["status"], body["words_result_num"]) == ("succeeded", 2)
    assert set(body["words_result"][0]) == {"location", "words", "probability"}
    assert handwriting(call, key="zhipu", tool="printed").code == "1214"
    assert handwriting(call, key="zai").status == 404


# -- files -------------------------------------------------------------------------------------


def upload(
    call: Caller, name: str, data: bytes, *, purpose: str = "agent", key: str = "zai", extra: str = ""
) -> Answer:
    parts = [f'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n']
    if extra:
        parts.append(f'--b\r\nContent-Disposition: form-data; name="{extra}"\r\n\r\nx\r\n')
    parts.append(f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n')
    connection = call.connect()
    try:
        headers = {
            "Authorization": f"Bearer {call.sandbox.keys[key]}",
            "Content-Type": "multipart/form-data; boundary=b",
        }
        connection.request("POST", FILES, "".join(parts).encode() + data + b"\r\n--b--\r\n", headers)
        response = connection.getresponse()
        return Answer(response.status, {}, response.read())
    finally:
        connection.close()


def test_a_file_is_kept(call: Caller) -> None:
    """Its facts come back."""
    body = upload(call, "terms.txt", b"cat=Katze").json
    assert body["id"].startswith("file-")
    del body["id"], body["created_at"]
    assert body == {"object": "file", "bytes": 9, "filename": "terms.txt", "purpose": "agent"}


@pytest.mark.parametrize(
    ("name", "purpose", "key", "extra", "code"),
    [
        ("a.jsonl", "batch", "zai", "", "1214"),
        ("a.jsonl", "agent", "zai", "", "1214"),
        ("a.docx", "agent", "zai", "", "1214"),
        ("a.pdf", "agent", "zai", "folder", "1210"),
        ("a.txt", "batch", "zhipu", "", "1214"),
        ("a.txt", "nonsense", "zhipu", "", "1214"),
        ("a.mp4", "voice-clone-input", "zhipu", "", "1214"),
    ],
)
def test_purposes_of_the_regions(call: Caller, name: str, purpose: str, key: str, extra: str, code: str) -> None:
    """Z.AI documents `agent` alone, Zhipu more; each with its types."""
    assert upload(call, name, b"x", purpose=purpose, key=key, extra=extra).code == code


def test_files_of_zhipu_can_be_listed_read_and_deleted(call: Caller) -> None:
    """Newest first, page by page, for their owner alone."""
    ids = [upload(call, f"{n}.jsonl", b"{}", purpose="batch", key="zhipu").json["id"] for n in range(3)]
    page = call("GET", f"{FILES}?purpose=batch&limit=2", key="zhipu").json
    assert ([file["id"] for file in page["data"]], page["has_more"]) == ([ids[2], ids[1]], True)
    page = call("GET", f"{FILES}?purpose=batch&after={ids[1]}", key="zhipu").json
    assert ([file["id"] for file in page["data"]], page["has_more"]) == ([ids[0]], False)
    assert call("GET", f"{FILES}/{ids[0]}/content", key="zhipu").data == b"{}"
    assert call("GET", f"{FILES}/{ids[0]}/content", key="zhipu-both").code == "1214"
    assert call("DELETE", f"{FILES}/{ids[0]}", key="zhipu").json["deleted"] is True
    assert call("GET", f"{FILES}/{ids[0]}/content", key="zhipu").code == "1214"
    assert call("GET", FILES, key="zhipu").code == "1213"


@pytest.mark.parametrize(("method", "path"), [("GET", "?purpose=agent"), ("DELETE", "/x"), ("GET", "/x/content")])
def test_zai_documents_no_more_than_the_upload(call: Caller, method: str, path: str) -> None:
    """404 for the rest."""
    assert call(method, FILES + path).status == 404


# -- agents ------------------------------------------------------------------------------------


def ask(call: Caller, text: str = "hello", *, key: str = "zai", **fields: Any) -> Answer:
    """A translation; `fields` are laid over the body, None removes one."""
    content = [{"type": "text", "text": text}]
    body = {"agent_id": "general_translation", "messages": [{"role": "user", "content": content}], **fields}
    return call("POST", AGENTS, {name: value for name, value in body.items() if value is not None}, key=key)


def test_a_translation(call: Caller) -> None:
    """`messages` in the plural and content as an object, as the documents show it."""
    body = ask(call, "good *day*\n<x1/> two", custom_variables={"target_lang": "ja"}).json
    assert body["status"] == "success"
    assert body["choices"][0]["messages"]["content"] == {"type": "text", "text": "[ja] good *day*\n<x1/> [ja] two"}
    assert body["usage"]["total_calls"] == 1


def test_a_streamed_translation(call: Caller) -> None:
    """Content as objects, counts in the last chunk, then the end mark."""
    answer = ask(call, "a b c", stream=True)
    deltas = [chunk["choices"][0]["delta"]["content"] for chunk in answer.chunks[:-1]]
    assert "".join(delta["text"] for delta in deltas) == "[zh-CN] a b c"
    assert answer.chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert "usage" in answer.chunks[-1]
    assert answer.payloads[-1] == "[DONE]"


@pytest.mark.parametrize(
    ("fields", "code", "word"),
    [
        ({"messages": None}, "1213", "messages"),
        ({"agent_id": "nope"}, "1222", "nope"),
        ({"agent_id": "intelligent_education_correction_polling"}, "1222", "intelligent"),
        ({"messages": [{"role": "user", "content": "plain"}]}, "1214", "content"),
        ({"messages": [{"role": "system", "content": []}]}, "1214", "role"),
        ({"custom_variables": {"target_lang": "zh"}}, "1214", "target_lang"),
        ({"custom_variables": {"target_lang": "auto"}}, "1214", "target_lang"),
        ({"custom_variables": {"source_lang": "en-GB"}}, "1214", "source_lang"),
        ({"custom_variables": {"strategy": "best"}}, "1214", "strategy"),
        ({"custom_variables": {"glossary": "file-unknown"}}, "1214", "glossary"),
        ({"custom_variables": {"tone": "nice"}}, "1210", "tone"),
        ({"temperature": 0.5}, "1210", "temperature"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_agents_refuse_with_status_200(call: Caller, fields: dict[str, Any], code: str, word: str) -> None:
    """`failed` and an error in the body."""
    refused = ask(call, **fields)
    assert (refused.status, refused.json["status"], refused.code) == (200, "failed", code)
    assert word in refused.message


def test_no_money_is_status_200_too(call: Caller) -> None:
    """1113 for a plan; an unknown key is 401 as everywhere."""
    refused = ask(call, key="zai-coding")
    assert (refused.status, refused.code) == (200, "1113")
    headers = {"Authorization": "Bearer nonsense"}
    assert call("POST", AGENTS, {}, key=None, headers=headers).status == 401


def test_under_the_chat_base_there_are_no_agents(call: Caller) -> None:
    """The path that the vendor's SDK builds is 404."""
    assert call("POST", "/api/paas/v4/v1/agents", {"agent_id": "general_translation"}).status == 404


EFFECT = {"agent_id": "vidu_template_agent", "custom_variables": {"template": "bodyshake"}}
PICTURE = {"type": "image_url", "image_url": "https://example.com/a.png"}


def effect(text: str = "go") -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": text}, PICTURE]}]


@pytest.mark.parametrize(("text", "end"), [("go", "success"), ("task:fail", "failed")])
def test_an_effect_is_made_in_its_time(call: Caller, text: str, end: str) -> None:
    """Pending twice, then a video that can be fetched, or a failure."""
    id = call("POST", AGENTS, {**EFFECT, "messages": effect(text)}).json["async_id"]
    query = {"agent_id": "vidu_template_agent", "async_id": id}
    answers = [call("POST", f"{AGENTS}/async-result", query).json for _ in range(3)]
    assert [answer["status"] for answer in answers] == ["pending", "pending", end]
    if end == "success":
        url = answers[-1]["choices"][0]["message"][0]["content"][0]["video_url"]
        video = call("GET", url.removeprefix(call.server.address), key=None)
        assert (video.headers["content-type"], video.data[4:8]) == ("video/mp4", b"ftyp")


def test_an_effect_outlives_its_sandbox(call: Caller, serve: Any) -> None:
    """Another process knows the job: its id says what it is."""
    id = call("POST", AGENTS, {**EFFECT, "messages": effect("polls:0")}).json["async_id"]
    query = {"agent_id": "vidu_template_agent", "async_id": id}
    assert serve(Sandbox())("POST", f"{AGENTS}/async-result", query).json["status"] == "success"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"custom_variables": {}}, "1213"),
        ({"custom_variables": {"template": "x"}}, "1214"),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, "1214"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "1214"),
        ({"stream": True}, "1214"),
    ],
    ids=["no-template", "template", "no-text", "picture-as-object", "stream"],
)
def test_effect_checks(call: Caller, change: dict[str, Any], code: str) -> None:
    """One text, one picture as a plain address, a known template."""
    assert call("POST", AGENTS, {**EFFECT, "messages": effect(), **change}).code == code


@pytest.mark.parametrize(
    "body", [{"async_id": "x"}, {"agent_id": "vidu_template_agent"}, {"agent_id": "a", "async_id": "!"}]
)
def test_unknown_jobs(call: Caller, body: dict[str, str]) -> None:
    """Refused as agents refuse."""
    refused = call("POST", f"{AGENTS}/async-result", body)
    assert (refused.status, refused.json["status"]) == (200, "failed")


def test_slides_and_their_export(call: Caller) -> None:
    """Thinking, pages as HTML in the output of a tool, an answer; then a PDF and pictures."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "tides"}]}]
    answer = call("POST", AGENTS, {"agent_id": "slides_glm_agent", "messages": messages})
    phases = [message["phase"] for chunk in answer.chunks for message in chunk["choices"][0]["message"]]
    assert phases == ["thinking", "tool", "tool", "tool", "answer"]
    assert "tides" in answer.chunks[1]["choices"][0]["message"][0]["content"][0]["object"]["output"]
    id = answer.chunks[0]["conversation_id"]
    pages = [{"position": 1, "width": 640, "height": 360}]
    body = {
        "agent_id": "slides_glm_agent",
        "conversation_id": id,
        "custom_variables": {"include_pdf": True, "pages": pages},
    }
    content = call("POST", f"{AGENTS}/conversation", body).json["choices"][0]["message"][0]["content"]
    assert [part["type"] for part in content] == ["file_url", "image_url"]
    assert call("GET", content[0]["file_url"].removeprefix(call.server.address), key=None).data.startswith(b"%PDF")
    assert call("POST", f"{AGENTS}/conversation", {**body, "agent_id": "general_translation"}).code == "1214"
    assert call("POST", f"{AGENTS}/conversation", {**body, "conversation_id": "never"}).code == "1214"


def test_whole_slides(call: Caller) -> None:
    """Without streaming the same steps come at once."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "tides"}]}]
    body = call("POST", AGENTS, {"agent_id": "slides_glm_agent", "messages": messages, "stream": False}).json
    assert len(body["choices"][0]["message"]) == 5


@pytest.mark.filterwarnings("ignore")  # the SDK's own
def test_the_official_sdk_reads_a_layout(call: Caller) -> None:
    """zai-sdk, which we did not write, parses what comes back."""
    from zai import ZaiClient

    client = ZaiClient(api_key=call.sandbox.keys["zai"], base_url=f"{call.server.address}/api/paas/v4")
    found = client.layout_parsing.create(model="glm-ocr", file=uri(pdf(2)))
    assert (found.data_info.num_pages, len(found.layout_details)) == (2, 2)  # type: ignore[union-attr,arg-type]
    assert json.loads(found.model_dump_json())["layout_details"][0][0]["label"] == "text"
