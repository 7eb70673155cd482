"""What onboarding is asked for, and what it finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glmcli.api.endpoints import PROVIDERS, VENDOR_PROVIDERS, Plan, Region
from glmcli.config.model import Profile, Secret
from glmcli.diagnosis import Row

if TYPE_CHECKING:
    from glmcli.context import AppContext

AUTO = "auto"
DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for; None is left to the wizard, or to defaults.

    `choice` is a provider or `auto`. `flags` maps a provider to the key that
    its flag gave.
    """

    choice: str | None = None
    region: str | None = None
    flags: Mapping[str, Secret] | None = None
    key_command: str | None = None
    store: str | None = None
    model: str | None = None
    skip_verify: bool = False
    probe: bool = False
    set_default: bool = False

    @property
    def regions(self) -> tuple[Region, ...]:
        """The companies whose hosts may get the key; two only with the user's word."""
        if self.region == "any":
            return (Region.INTL, Region.CN)
        return (Region(self.region or "intl"),)


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key, and the reference under which it is found again (`env:NAME`, `command:...`, `file`, `keyring`).

    None stands for a key that must be stored first.
    """

    secret: Secret
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A provider that the key may use. `how` is what proves it: `answer`, `plan`, `key`, `skipped` or `none`.

    `base_url` and `protocol` are those of a compatible service; `meaning` tells
    the proof where there is no row.
    """

    provider: str
    how: str
    row: Row | None = None
    model: str | None = None
    base_url: str | None = None
    protocol: str | None = None
    meaning: str | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """All that is needed to keep a profile: from flags, or from questions."""

    wish: Wish
    verified: Verified
    key: FoundKey


@dataclass(frozen=True, slots=True)
class Kept:
    """What stands in the files now, and what of it is new."""

    profile: Profile
    place: str
    changes: tuple[str, ...]
    is_default: bool


def profile_name(app: AppContext) -> str:
    """The profile to set up: named, else the one in use, else `default`."""
    named = app.options.profile or app.environ.get("GLM_PROFILE", "").strip()
    profiles = app.config.profiles
    only = next(iter(profiles)) if len(profiles) == 1 else None
    return named or app.config.default_profile or only or DEFAULT_PROFILE


def providers_of(regions: Iterable[Region], plan: Plan | None = None) -> tuple[str, ...]:
    """The providers of these regions, the plan's before the metered one."""
    found = [PROVIDERS[name] for name in VENDOR_PROVIDERS]
    wanted = [each for each in found if each.region in tuple(regions) and plan in (None, each.plan)]
    return tuple(each.name for each in sorted(wanted, key=lambda each: each.plan is Plan.PAYG))
