"""What a file can be uploaded for, by region, and what each purpose takes.

Limits: docs.z.ai api-reference/agents/file-upload and the OpenAPI of
docs.bigmodel.cn (`api/files-and-batch.md` section 1). `fine-tune` and
`retrieval` are known from the vendor's SDK alone, without limits.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

from glmcli.api.endpoints import Region
from glmcli.api.resources.files import AGENT_TYPES, MAX_BYTES, MIB
from glmcli.errors import UsageError

BATCH = "batch"
AGENT = "agent"
#: The purposes that `GET /files` can be asked for.
LISTED = (BATCH, "code-interpreter", AGENT)
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")


class Purpose(NamedTuple):
    """What may be uploaded: endings (none: not documented), and the most bytes of a file and of a picture."""

    name: str
    endings: tuple[str, ...] = ()
    max_bytes: int = MAX_BYTES
    max_picture_bytes: int = MAX_BYTES


_CN = (
    Purpose(BATCH, (".jsonl",)),
    Purpose("code-interpreter", (), 20 * MIB, 5 * MIB),
    Purpose(AGENT, (), 20 * MIB, 5 * MIB),
    Purpose("voice-clone-input", (".mp3", ".wav"), 10 * MIB),
    Purpose("fine-tune"),
    Purpose("retrieval"),
)
PURPOSES: dict[Region, dict[str, Purpose]] = {
    Region.INTL: {AGENT: Purpose(AGENT, tuple(AGENT_TYPES))},
    Region.CN: {purpose.name: purpose for purpose in _CN},
}


def usual_purpose(filename: str, region: Region) -> str:
    """What a file is most likely meant for."""
    return BATCH if filename.lower().endswith(".jsonl") and BATCH in PURPOSES[region] else AGENT


def find_purpose(name: str, region: Region) -> Purpose:
    """The purpose of that name. Raises UsageError with the choices of the region."""
    found = PURPOSES[region].get(name)
    if found is not None:
        return found
    elsewhere = [other for other, known in PURPOSES.items() if name in known]
    where = " at Zhipu (BigModel) alone" if Region.CN in elsewhere else " nowhere"
    raise UsageError(
        f"the purpose {name} is documented{where}",
        hint=f"choose one of {', '.join(PURPOSES[region])}; --experimental sends it all the same",
    )


def check_file(purpose: Purpose, filename: str, size: int) -> None:
    """Compare a file with what its purpose takes. Raises UsageError."""
    ending = PurePath(filename).suffix.lower()
    if purpose.endings and ending not in purpose.endings:
        raise UsageError(
            f"{filename} is not of a kind that the purpose {purpose.name} takes",
            hint=f"it takes {', '.join(purpose.endings)}",
        )
    limit = purpose.max_picture_bytes if ending in _PICTURES else purpose.max_bytes
    if not size:
        raise UsageError(f"{filename} is empty")
    if size > limit:
        raise UsageError(
            f"{filename} has {size / MIB:.1f} MiB; the purpose {purpose.name} takes files up to {limit // MIB} MiB"
        )
