"""Other clients, installed into throw-away environments, and how each asks one question."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

#: What was measured for `docs/performance.md`; another version may be named as `llm==0.37`.
VERSIONS = {"llm": "0.36", "shell-gpt": "1.5.1", "zai-sdk": "0.2.3", "openai": "1.109.1"}
#: What a package imports without saying so, since Typer holds a click of its own.
UNDECLARED = {"shell-gpt": ["click"]}
KEY = "0123456789abcdef0123456789abcdef.benchmarkbench00"

#: Five lines that stream one answer, as the vendor's documents show it.
ZAI_SCRIPT = """
import sys
from zai import ZaiClient
client = ZaiClient(api_key=sys.argv[2], base_url=sys.argv[1])
messages = [{"role": "user", "content": sys.argv[3]}]
for chunk in client.chat.completions.create(model="glm-5.3", messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
"""
#: The same with a video, which the documents send as base64 text.
ZAI_UPLOAD = """
import base64, sys
from zai import ZaiClient
client = ZaiClient(api_key=sys.argv[2], base_url=sys.argv[1])
url = "data:video/mp4;base64," + base64.b64encode(open(sys.argv[4], "rb").read()).decode()
content = [{"type": "video_url", "video_url": {"url": url}}, {"type": "text", "text": sys.argv[3]}]
messages = [{"role": "user", "content": content}]
for chunk in client.chat.completions.create(model="glm-4.6v", messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "", end="", flush=True)
"""


def install(name: str, folder: Path) -> Path:
    """The `bin` of an environment with this peer; one that is there already is taken."""
    package, _, version = name.partition("==")
    home = folder / package
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        wanted = [f"{package}=={version or VERSIONS[package]}", *UNDECLARED.get(package, ())]
        subprocess.run([*pip, *wanted], check=True)
    return home / "bin"


def command(name: str, binaries: Path, origin: str, prompt: str, home: Path) -> tuple[list[str], dict[str, str]]:
    """The command line and the variables of one question."""
    base = f"{origin}/api/paas/v4"
    match name.partition("==")[0]:
        case "zai-sdk":
            return [str(binaries / "python"), "-c", ZAI_SCRIPT, base, KEY, prompt], {}
        case "openai":
            ask = ["api", "chat.completions.create", "-m", "glm-5.3", "--stream", "-g", "user", prompt]
            return [str(binaries / "openai"), *ask], {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": base}
        case "llm":
            settings = home / "llm"
            settings.mkdir(exist_ok=True)
            model = f"- model_id: bench\n  model_name: glm-5.3\n  api_base: {base}\n"
            (settings / "extra-openai-models.yaml").write_text(model)
            return [str(binaries / "llm"), "-m", "bench", "--key", KEY, prompt], {"LLM_USER_PATH": str(settings)}
        case "shell-gpt":
            words = ["--model", "glm-5.3", "--no-md", "--no-cache", prompt]
            return [str(binaries / "sgpt"), *words], {
                "OPENAI_API_KEY": KEY,
                "API_BASE_URL": base,
                "DEFAULT_MODEL": "glm-5.3",
                "USE_LITELLM": "false",
            }
    raise SystemExit(f"no such peer: {name}")
