"""The languages of the translation agent (docs.z.ai, agents/translation; `api/agents.md` section 3)."""

from __future__ import annotations

from glmcli.errors import UsageError

#: Code -> English name. `en-GB` and `en-US` are targets only, `auto` is a source only.
LANGUAGES = {
    "zh-CN": "Simplified Chinese",
    "zh-TW": "Traditional Chinese",
    "wyw": "Classical Chinese",
    "yue": "Cantonese",
    "en": "English",
    "en-GB": "British English",
    "en-US": "American English",
    "ja": "Japanese",
    "ko": "Korean",
    "fr": "French",
    "de": "German",
    "es": "Spanish",
    "ru": "Russian",
    "pt": "Portuguese",
    "it": "Italian",
    "ar": "Arabic",
    "hi": "Hindi",
    "bg": "Bulgarian",
    "cs": "Czech",
    "da": "Danish",
    "el": "Greek",
    "et": "Estonian",
    "fi": "Finnish",
    "hu": "Hungarian",
    "id": "Indonesian",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "ro": "Romanian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "my": "Burmese",
    "ms": "Malay",
    "Pinyin": "Pinyin",
    "IPA": "phonetic alphabet",
}
AUTO = "auto"
_TARGETS_ONLY = ("en-GB", "en-US")
#: What people write, and what the service calls it.
_SYNONYMS = {
    "zh": "zh-CN",
    "chinese": "zh-CN",
    "mandarin": "zh-CN",
    "中文": "zh-CN",
    "简体中文": "zh-CN",
    "繁體中文": "zh-TW",
    "zh-hans": "zh-CN",
    "zh-hant": "zh-TW",
    "zh-hk": "zh-TW",
    "cn": "zh-CN",
    "tw": "zh-TW",
    "jp": "ja",
    "日本語": "ja",
    "日语": "ja",
    "kr": "ko",
    "한국어": "ko",
    "uk-ua": "uk",
    "ua": "uk",
    "nb": "no",
    "nn": "no",
    "pt-br": "pt",
    "deutsch": "de",
    "français": "fr",
    "español": "es",
    "italiano": "it",
    "русский": "ru",
}


def find_language(word: str, *, as_source: bool = False) -> str:
    """The code of a language that was named by code or name. Raises UsageError with the nearest ones."""
    wanted = word.strip().lower().replace("_", "-")
    if as_source and wanted == AUTO:
        return AUTO
    codes = [code for code in LANGUAGES if not (as_source and code in _TARGETS_ONLY)]
    by_word = {code.lower(): code for code in codes} | {LANGUAGES[code].lower(): code for code in codes}
    if as_source and wanted in ("en-gb", "en-us"):
        return "en"
    found = by_word.get(wanted) or _SYNONYMS.get(wanted)
    if found is None:
        raise UsageError(f"the translation agent knows no language {word!r}", hint=_hint(wanted, by_word))
    return found


def _hint(wanted: str, by_word: dict[str, str]) -> str:
    from difflib import get_close_matches

    near = dict.fromkeys(by_word[word] for word in get_close_matches(wanted, by_word, n=3, cutoff=0.6))
    if near:
        meant = " or ".join(f"{code} ({LANGUAGES[code]})" for code in near)
        return f"did you mean {meant}?"
    return f"it knows {', '.join(by_word[code] for code in by_word if by_word[code].lower() == code)}"
