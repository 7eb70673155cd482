"""Which language advice is written in."""

from __future__ import annotations

import pytest

from glmcli.language import choose_language


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"GLM_LANG": "zh"}, "zh"),
        ({"GLM_LANG": "zh_CN"}, "zh"),
        ({"GLM_LANG": "zh-CN"}, "zh"),
        ({"GLM_LANG": "ZH-Hans"}, "zh"),
        ({"GLM_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"GLM_LANG": "en_GB.UTF-8", "LC_ALL": "zh_CN"}, "en"),
        ({"GLM_LANG": "fr", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"GLM_LANG": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "zh@pinyin"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_MESSAGES": "en_US", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LANG": "zha_CN"}, "en"),
    ],
    ids=str,
)
def test_the_language_follows_glm_lang_then_the_locale(environ: dict[str, str], language: str) -> None:
    """GLM_LANG wins when it names a language of ours; then LC_ALL, LC_MESSAGES, LANG."""
    assert choose_language(environ) == language
