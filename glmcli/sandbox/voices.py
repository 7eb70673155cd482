"""Cloned voices, as `/voice/clone`, `/voice/list` and `/voice/delete` take and give them.

Fields: OpenAPI of docs.bigmodel.cn (audio); Z.AI documents none of the three.
A voice is as mortal as the sandbox. `/audio/speech` takes its id.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from glmcli.sandbox.audio import SPEECH_RATE, VOICES, wav_head
from glmcli.sandbox.checks import check_fields, is_text, require
from glmcli.sandbox.embeddings import only_in_china
from glmcli.sandbox.exchange import Base, Refusal, Request, Response
from glmcli.sandbox.tones import speak

if TYPE_CHECKING:
    from glmcli.sandbox.app import Route, Sandbox

CLONE_MODEL = "glm-tts-clone"
_REQUEST_ID = {"request_id": lambda v: is_text(v, 6, 64)}
_CLONE = {
    "model": lambda v: isinstance(v, str),
    "voice_name": lambda v: is_text(v, 1, 128),
    "input": lambda v: is_text(v, 1, 1024),
    "file_id": lambda v: is_text(v, 1, 128),
    "text": lambda v: isinstance(v, str),
    **_REQUEST_ID,
}
_DELETE = {"voice": lambda v: is_text(v, 1, 128), **_REQUEST_ID}
#: When the service's own voices were made.
_LONG_AGO = "2025-01-01 00:00:00"


def routes() -> list[Route]:
    """The routes of this module."""
    from glmcli.sandbox.app import Payer, Route

    base = (Base.GENERAL,)
    return [
        Route("POST", base, "/voice/clone", clone),
        Route("GET", base, "/voice/list", list_voices, Payer.NOBODY),
        Route("POST", base, "/voice/delete", delete, Payer.NOBODY),
        Route("GET", (Base.DOWNLOADS,), "/voices/{voice}", preview, Payer.ANYONE),
    ]


def clone(sandbox: Sandbox, request: Request) -> Response:
    """Make a voice of a kept recording, and a preview of it."""
    from glmcli.sandbox.files import keep, read

    only_in_china(request)
    body = request.json()
    require(body, "model", "voice_name", "input", "file_id")
    check_fields(body, _CLONE, lenient=sandbox.lenient)
    if body["model"] != CLONE_MODEL:
        raise Refusal("1211")
    read(sandbox, request, body["file_id"])
    number = f"{sandbox.number():08d}"
    voice, file = f"voice-sandbox-{number}", f"file-sandbox-{number}"
    sound = _sound(body["input"])
    _remember(sandbox, request, voice, body["voice_name"], sound)
    purpose = "voice-clone-output"
    facts = {"id": file, "object": "file", "bytes": len(sound), "filename": "preview.wav", "purpose": purpose}
    keep(sandbox, request, {**facts, "created_at": int(sandbox.clock())}, sound)
    head = {"request_id": body.get("request_id") or request.log_id}
    return Response.json({"voice": voice, "file_id": file, "file_purpose": purpose, **head})


def list_voices(sandbox: Sandbox, request: Request) -> Response:
    """The service's voices and those of this account, filtered by name and type."""
    only_in_china(request)
    name, kind = request.query.get("voiceName", ""), request.query.get("voiceType", "")
    if kind not in ("", "PRIVATE", "OFFICIAL"):
        raise Refusal("1214", "voiceType")
    official = [_entry(request, voice, voice, "OFFICIAL", _LONG_AGO) for voice in VOICES]
    own = [
        _entry(request, voice, facts["name"], "PRIVATE", facts["time"])
        for voice, facts in _voices(sandbox).items()
        if facts["owner"] == _owner(request)
    ]
    found = [entry for entry in official + own if name in entry["voice_name"] and kind in ("", entry["voice_type"])]
    return Response.json({"voice_list": found})


def delete(sandbox: Sandbox, request: Request) -> Response:
    """Forget a voice of this account."""
    only_in_china(request)
    body = request.json()
    require(body, "voice")
    check_fields(body, _DELETE, lenient=sandbox.lenient)
    with sandbox.lock:
        voices = sandbox.store("voices")
        if voices.get(body["voice"], {}).get("owner") != _owner(request):
            raise Refusal("1214", "voice")
        del voices[body["voice"]]
    return Response.json({"voice": body["voice"], "update_time": _now(sandbox)})


def preview(sandbox: Sandbox, request: Request) -> Response:
    """How a voice sounds, as WAV."""
    voice = request.parameters["voice"].removesuffix(".wav")
    facts = _voices(sandbox).get(voice)
    if facts is None and voice not in VOICES:
        raise Refusal("1222", request.path, status=404)
    return Response.bytes(facts["sound"] if facts else _sound(voice), "audio/wav")


def _remember(sandbox: Sandbox, request: Request, voice: str, name: str, sound: bytes) -> None:
    with sandbox.lock:
        voices = sandbox.store("voices")
        owner = _owner(request)
        if any((facts["owner"], facts["name"]) == (owner, name) for facts in voices.values()):
            raise Refusal("1214", "voice_name")
        voices[voice] = {"owner": owner, "name": name, "time": _now(sandbox), "sound": sound}


def _voices(sandbox: Sandbox) -> dict[str, Any]:
    with sandbox.lock:
        return dict(sandbox.store("voices"))


def _entry(request: Request, voice: str, name: str, kind: str, created: str) -> dict[str, str]:
    url = f"{request.origin}{Base.DOWNLOADS}/voices/{voice}.wav"
    return {"voice": voice, "voice_name": name, "voice_type": kind, "download_url": url, "create_time": created}


def _owner(request: Request) -> str:
    assert request.account is not None
    return request.account.name


def _sound(text: str) -> bytes:
    samples = b"".join(speak(text, SPEECH_RATE))
    return wav_head(len(samples), SPEECH_RATE) + samples


def _now(sandbox: Sandbox) -> str:
    """The time of China, as the service writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(sandbox.clock() + 8 * 3600))
