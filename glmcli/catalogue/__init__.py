"""The texts of wizard, doctor and diagnosis, in English and Chinese.

One table per language (`en`, `zh`), loaded when the first text is asked for.
Commands, option names and JSON keys are never translated.
"""

from __future__ import annotations

from collections.abc import Mapping

from glmcli.language import CHINESE


def text(key: str, language: str, **values: object) -> str:
    """A text with its `{names}` filled in; values that it does not mention are ignored.

    Raises KeyError for a key or name that does not exist: a fault of ours.
    """
    return texts(language)[key].format(**values)


def texts(language: str) -> Mapping[str, str]:
    """All texts of a language; English for one that we do not speak."""
    if language == CHINESE:
        from glmcli.catalogue.zh import TEXTS as CHINESE_TEXTS

        return CHINESE_TEXTS
    from glmcli.catalogue.en import TEXTS

    return TEXTS
