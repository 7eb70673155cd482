"""Which language advice is written in; pure, so that a test needs no locale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENGLISH: Final = "en"
CHINESE: Final = "zh"

#: Variables of the locale, the first that is set wins (POSIX, "Environment Variables").
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def choose_language(environ: Mapping[str, str]) -> str:
    """`en` or `zh`: GLM_LANG, else the locale, else English.

    A GLM_LANG that names neither is passed over, as locales do with unknown languages.
    """
    asked = environ.get("GLM_LANG", "").strip().lower()
    for language in (CHINESE, ENGLISH):
        if _names(asked, language):
            return language
    for variable in _LOCALE_VARIABLES:
        locale = environ.get(variable, "").strip().lower()
        if locale:
            return CHINESE if _names(locale, CHINESE) else ENGLISH
    return ENGLISH


def _names(tag: str, language: str) -> bool:
    """Whether `zh`, `zh_CN.UTF-8` or `zh-Hans` names the language `zh`."""
    rest = tag.removeprefix(language)
    return rest != tag and rest[:1] in ("", "_", "-", ".", "@")
