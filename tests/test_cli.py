"""The root command: where global options may stand, exit codes, and how failures are told."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
import typer

from glmcli import __version__, cli, registry
from glmcli.commands.options import command_app, context_of, group_app
from glmcli.config.model import GlobalOptions
from glmcli.errors import (
    ConfigError,
    ContentRefused,
    DryRun,
    ExitCode,
    GlmError,
    Interrupted,
    NetworkError,
    ServiceError,
)
from glmcli.streams import Streams
from tests.harness import TEST_KEY, Glm, GlmProcess


class Probe:
    """A command and a group that exist in one test only: they record what reached them."""

    def __init__(self) -> None:
        self.options: GlobalOptions | None = None
        self.words: list[str] = []
        self.raises: BaseException | None = None
        self.returns: object = None
        self.quiet = False
        self.color = ""

    def called(self, ctx: typer.Context, words: list[str]) -> Any:
        app = context_of(ctx)
        self.options, self.words = app.options, words
        self.quiet, self.color = app.streams.quiet, app.streams.color
        if self.raises is not None:
            raise self.raises
        return self.returns


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    """Registers `glm probe [WORDS...]`, `glm group one` and `glm group two`."""
    made = Probe()
    one, several = ModuleType("glmcli.commands.probe"), ModuleType("glmcli.commands.group")
    one.app, several.app = command_app(), group_app("Try groups.")  # type: ignore[attr-defined]  # as a module has

    def probed(
        ctx: typer.Context,
        words: Annotated[list[str] | None, typer.Argument()] = None,
        size: Annotated[int, typer.Option(help="A number.")] = 1,
        via: Annotated[str | None, typer.Option(help="The command's own.")] = None,
    ) -> Any:
        """Probe."""
        return made.called(ctx, [*(words or []), *([f"via={via}"] if via else [])])

    def grouped(ctx: typer.Context) -> Any:
        """Probe."""
        return made.called(ctx, [])

    one.app.command()(probed)
    several.app.command("one")(grouped)
    several.app.command("two")(grouped)
    for name, module in (("probe", one), ("group", several)):
        monkeypatch.setitem(sys.modules, f"glmcli.commands.{name}", module)
        monkeypatch.setitem(registry.COMMANDS, name, registry.CommandEntry(name, "Probe.", name, "Ask"))
    return made


# -- global options ----------------------------------------------------------

OPTIONS = [
    pytest.param(["-p", "work"], "profile", "work", id="-p"),
    pytest.param(["--profile=work"], "profile", "work", id="--profile"),
    pytest.param(["--provider", "zhipu"], "provider", "zhipu", id="--provider"),
    pytest.param(["--base-url", "https://a.example/v1"], "base_url", "https://a.example/v1", id="--base-url"),
    pytest.param(["--protocol", "anthropic"], "protocol", "anthropic", id="--protocol"),
    pytest.param(["--json"], "json", True, id="--json"),
    pytest.param(["-q"], "quiet", True, id="-q"),
    pytest.param(["-vv"], "verbose", 2, id="-vv"),
    pytest.param(["-v", "--verbose"], "verbose", 2, id="-v twice"),
    pytest.param(["--color", "never"], "color", "never", id="--color"),
    pytest.param(["--timeout", "2.5"], "timeout", 2.5, id="--timeout"),
    pytest.param(["--max-retries", "0"], "max_retries", 0, id="--max-retries"),
    pytest.param(["--wait"], "wait", True, id="--wait"),
    pytest.param(["--dry-run"], "dry_run", True, id="--dry-run"),
    pytest.param(["--no-input"], "no_input", True, id="--no-input"),
    pytest.param(["--allow-http"], "allow_http", True, id="--allow-http"),
    pytest.param(["--env-file", "a.env"], "env_file", Path("a.env"), id="--env-file"),
    pytest.param(["--key-env", "MY_KEY"], "key_env", "MY_KEY", id="--key-env"),
    pytest.param(["--key-stdin"], "key_stdin", True, id="--key-stdin"),
]


@pytest.mark.parametrize("command", [["probe"], ["group", "one"]], ids=["command", "subcommand"])
@pytest.mark.parametrize(("given", "name", "value"), OPTIONS)
def test_a_global_option_stands_anywhere(
    glm: Glm, probe: Probe, command: list[str], given: list[str], name: str, value: object
) -> None:
    """Before the command, after it, and between a group and its subcommand it means the same."""
    for at in range(len(command) + 1):
        result = glm(*command[:at], *given, *command[at:])
        assert (result.exit_code, result.stderr) == (0, "")
        assert getattr(probe.options, name) == value
        untouched = GlobalOptions()
        setattr(untouched, name, value)
        assert probe.options == untouched


def test_options_add_up_over_the_levels(glm: Glm, probe: Probe) -> None:
    """The later value wins, and every `-v` counts."""
    glm("-v", "--profile", "a", "group", "-v", "--json", "one", "--profile", "b", "-v")
    assert probe.options == GlobalOptions(verbose=3, profile="b", json=True)


def test_nothing_is_ours_after_two_dashes(glm: Glm, probe: Probe) -> None:
    """`glm exec -- cmd -v` gives `-v` to the program."""
    assert glm("probe", "-q", "--", "-v", "--json", "--help").exit_code == 0
    assert probe.words == ["-v", "--json", "--help"]
    assert probe.options == GlobalOptions(quiet=True)


def test_an_option_of_the_command_wins_over_a_global_one(glm: Glm, probe: Probe) -> None:
    """A command may give a flag a meaning of its own; before its name the global meaning stays."""
    glm("--via", "mcp", "probe", "--via", "anything")
    assert probe.words == ["via=anything"]
    assert probe.options is not None
    assert probe.options.via == "mcp"


def test_quiet_and_colour_reach_the_streams(glm: Glm, probe: Probe) -> None:
    """What is written obeys the options, wherever they stand."""
    glm("probe", "--quiet", "--color=always")
    assert (probe.quiet, probe.color) == (True, "always")


# -- usage errors ------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param(["chta"], "glm: no such command: chta\n  did you mean glm chat?", id="typo"),
        pytest.param(["ask"], "glm: no such command: ask\n  did you mean glm chat?", id="another tool's word"),
        pytest.param(["xyzzy"], "glm: no such command: xyzzy\n  see glm --help", id="nothing near"),
        pytest.param(["group", "tow"], "glm group: no such command 'tow'\n  did you mean 'two'?", id="subcommand"),
        pytest.param(["--jsno"], "glm: no such option: --jsno\n  did you mean --json?", id="root option"),
        pytest.param(
            ["probe", "--szie=3"], "glm probe: no such option: --szie\n  did you mean --size?", id="option of a command"
        ),
        pytest.param(
            ["probe", "-Z"],
            "glm probe: no such option: -Z\n  see glm probe --help; put -- before words that start with a dash",
            id="short option",
        ),
        pytest.param(
            ["probe", "--size", "big"],
            "glm probe: invalid value for '--size': 'big' is not a whole number\n  see glm probe --help",
            id="not a number",
        ),
        pytest.param(
            ["probe", "--color=blue"],
            "glm probe: invalid value for '--color': 'blue' is not one of auto, always, never\n  see glm probe --help",
            id="choice",
        ),
        pytest.param(
            ["--max-retries", "-1", "probe"],
            "glm: invalid value for '--max-retries': -1 is not in the range x>=0\n  see glm --help",
            id="range",
        ),
        pytest.param(
            ["completion"],
            "glm completion: missing argument 'SHELL'. Choose from: bash, zsh, fish, powershell\n"
            "  see glm completion --help",
            id="missing argument",
        ),
        pytest.param(["-q"], "glm: missing command\n  see glm --help", id="no command"),
        pytest.param(
            ["probe", "--timeout"],
            "glm probe: option '--timeout' requires an argument\n  see glm probe --help",
            id="no value",
        ),
    ],
)
@pytest.mark.usefixtures("probe")
def test_wrong_usage_is_one_line_and_a_hint(glm: Glm, argv: list[str], message: str) -> None:
    """The message names the command, the hint says what to type, the exit code is 2."""
    result = glm(*argv)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{message}\n")


@pytest.mark.usefixtures("probe")
@pytest.mark.parametrize(
    "argv",
    [["--json", "probe", "--szie"], ["probe", "--szie", "--json"]],
    ids=["option before", "option behind the fault"],
)
def test_json_usage_error(glm: Glm, argv: list[str]) -> None:
    """With `--json` also a command line that cannot be read is told as JSON."""
    result = glm(*argv)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.error == {
        "kind": "usage",
        "code": None,
        "http_status": None,
        "message": "no such option: --szie",
        "hint": "did you mean --size?",
        "request_id": None,
        "retryable": False,
    }


# -- failures ----------------------------------------------------------------

FAILURES = [
    pytest.param(GlmError("no"), 1, "glm: no\n", id="failed"),
    pytest.param(ConfigError("no", hint="do"), 3, "glm: no\n  do\n", id="configuration"),
    pytest.param(ServiceError("no", exit_code=ExitCode.BALANCE), 5, "glm: no\n", id="balance"),
    pytest.param(ContentRefused("no"), 7, "glm: no\n", id="content"),
    pytest.param(NetworkError("no", hint="one\ntwo"), 8, "glm: no\n  one\n  two\n", id="hint of two lines"),
    pytest.param(Interrupted("stopped; the task goes on"), 130, "glm: stopped; the task goes on\n", id="interrupted"),
    pytest.param(KeyboardInterrupt(), 130, "glm: interrupted\n", id="Ctrl-C"),
    pytest.param(typer.Abort(), 130, "glm: interrupted\n", id="aborted prompt"),
    pytest.param(BrokenPipeError(errno.EPIPE, "Broken pipe"), 0, "", id="closed pipe"),
    pytest.param(typer.Exit(6), 6, "", id="exit code of a command"),
    pytest.param(
        OSError(errno.ENOSPC, "No space left on device"),
        1,
        "glm: cannot write the output: no space left on device\n  free some space, or write elsewhere\n",
        id="full disk",
    ),
    pytest.param(
        FileNotFoundError(errno.ENOENT, "No such file or directory", "notes.md"),
        1,
        "glm: notes.md: no such file or directory\n",
        id="missing file",
    ),
    pytest.param(
        ValueError("two\nlines"),
        1,
        "glm: unexpected ValueError: two lines\n"
        "  this is a fault of glm; for the details run it again as: glm -vv ...\n",
        id="anything else",
    ),
]


@pytest.mark.parametrize(("error", "code", "told"), FAILURES)
def test_a_failure_becomes_an_exit_code(glm: Glm, probe: Probe, error: BaseException, code: int, told: str) -> None:
    """What a command raises is told once on stderr; stdout stays clean."""
    probe.raises = error
    result = glm("probe")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", told)


def test_quiet_does_not_silence_a_failure(glm: Glm, probe: Probe) -> None:
    """`--quiet` is about notes."""
    probe.raises = ConfigError("no")
    assert glm("probe", "-q").stderr == "glm: no\n"


def test_a_number_returned_is_the_exit_code(glm: Glm, probe: Probe) -> None:
    """A command may return its exit code; None is success."""
    probe.returns = ExitCode.LIMIT
    assert glm("probe").exit_code == 6
    probe.returns = None
    assert glm("group", "one").exit_code == 0


def test_a_dry_run_prints_the_command(glm: Glm, probe: Probe) -> None:
    """The request that would be sent is the answer."""
    probe.raises = DryRun("curl https://api.z.ai")
    result = glm("probe", "--dry-run")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "curl https://api.z.ai\n", "")


def test_json_failure_carries_what_the_service_said(glm: Glm, probe: Probe) -> None:
    """The object under `error` is the error's own."""
    probe.raises = ServiceError("no", code="1302", http_status=429, request_id="r1", retryable=True)
    assert glm("--json", "probe").error == {
        "kind": "service",
        "code": "1302",
        "http_status": 429,
        "message": "no",
        "hint": None,
        "request_id": "r1",
        "retryable": True,
    }


def test_a_failure_is_red_on_a_terminal_and_cannot_steer_it(glm: Glm, probe: Probe) -> None:
    """Our colours pass, control characters in a message do not; NO_COLOR is obeyed."""
    probe.raises = GlmError("the server said \x1b]0;gotcha\x07", hint="do")
    told = glm("probe", tty=True).stderr
    assert told == "\x1b[31mglm:\x1b[0m the server said ^[]0;gotcha^G\n\x1b[2m  do\x1b[0m\n"
    assert "\x1b" not in glm("probe", tty=True, env={"NO_COLOR": "1"}).stderr


def test_a_traceback_only_with_vv_and_never_with_keys(glm: Glm, probe: Probe) -> None:
    """An exception may quote a header; neither the line nor the traceback shows a key."""
    probe.raises = ValueError(f"Illegal header value b'Bearer {TEST_KEY}' or hunter2hunter2")
    environ = {"ZAI_API_KEY": "hunter2hunter2"}
    brief, full = glm("probe", env=environ), glm("-vv", "probe", env=environ)
    assert "Traceback" not in brief.stderr
    assert "Traceback" in full.stderr
    for result in (brief, full):
        assert "hunter2" not in result.stderr
        assert TEST_KEY not in result.stderr
        assert "$ZAI_API_KEY" in result.stderr


@pytest.mark.parametrize(
    "argv", [[TEST_KEY], ["completion", "bash", TEST_KEY], ["--json", TEST_KEY]], ids=["command", "argument", "--json"]
)
def test_a_key_in_the_wrong_place_is_not_repeated(glm: Glm, argv: list[str]) -> None:
    """Someone who pastes a key where a word belongs does not find it in the log of a CI."""
    result = glm(*argv)
    assert result.exit_code == 2
    assert TEST_KEY not in result.stderr
    assert "[key]" in result.stderr


def test_a_broken_env_file_is_told_once(glm: Glm, probe: Probe) -> None:
    """Telling the failure does not stumble over its cause."""
    result = glm("--env-file", "missing.env", "chat", "hi")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "missing.env" in result.stderr


# -- help and greeting -------------------------------------------------------


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["help"], []], ids=["--help", "-h", "help", "nothing"])
def test_the_front_page(glm: Glm, argv: list[str]) -> None:
    """Help is the answer when it is asked for: stdout, exit 0."""
    result = glm(*argv)
    assert (result.exit_code, result.stdout, result.stderr) == (0, registry.front_page(), "")


@pytest.mark.parametrize(
    "argv",
    [
        ["completion", "--help"],
        ["completion", "-h"],
        ["help", "completion"],
        ["-q", "completion", "--help"],
    ],
    ids=["--help", "-h", "help COMMAND", "after an option"],
)
def test_the_page_of_a_command(glm: Glm, argv: list[str]) -> None:
    """All ways to ask lead to the same page."""
    result = glm(*argv)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: glm completion [OPTIONS] SHELL\n")
    assert result.stdout.endswith("glm --help\n")


@pytest.mark.usefixtures("probe")
def test_a_group_alone_shows_its_page(glm: Glm) -> None:
    """A group without a subcommand lists what there is."""
    result = glm("group")
    assert result.exit_code == 0
    assert "  one  Probe." in result.stdout


@pytest.mark.parametrize("argv", [["--version"], ["completion", "--version"]], ids=["root", "command"])
def test_version_is_one_line(glm: Glm, argv: list[str]) -> None:
    """Name and number."""
    assert glm(*argv).stdout == f"glm {__version__}\n"


@pytest.mark.parametrize(
    ("env", "configured", "greeted"),
    [
        pytest.param({}, False, True, id="nothing yet"),
        pytest.param({"ZAI_API_KEY": "k"}, False, False, id="a key is exported"),
        pytest.param({"ZHIPUAI_API_KEY": "k"}, False, False, id="an older variable"),
        pytest.param({}, True, False, id="a profile is stored"),
    ],
)
def test_a_newcomer_is_told_where_to_begin(
    glm: Glm, home: Path, env: dict[str, str], configured: bool, greeted: bool
) -> None:
    """On a terminal without profile and key one line names the wizard and the sandbox."""
    if configured:
        home.mkdir()
        (home / "config.toml").write_text("version = 1\n")
    result = glm(env=env, tty=True)
    assert result.exit_code == 0
    assert ("glm onboard" in result.stderr) == greeted
    assert ("glm --provider sandbox chat" in result.stderr) == greeted


# -- processes ---------------------------------------------------------------


def test_python_m_glmcli_is_glm(glm_process: GlmProcess) -> None:
    """The module runs as the command does, exit code included."""
    assert glm_process("--version").stdout == f"glm {__version__}\n"
    failed = glm_process("chta")
    assert (failed.exit_code, failed.stderr) == (2, "glm: no such command: chta\n  did you mean glm chat?\n")


@pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/full and a shell")
@pytest.mark.parametrize("argv", ["--version", "--help", "completion bash"])
def test_a_full_disk_is_told(argv: str, tmp_path: Path) -> None:
    """An answer that could not be written is no success."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m glmcli {argv} > /dev/full"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.lower().startswith("glm: cannot write the output: no space left on device")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("argv", ["--help", "completion bash"])
def test_a_closed_pipe_ends_quietly(argv: str) -> None:
    """`glm ... | head` leaves nothing on stderr."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run([sys.executable, "-m", "glmcli", *argv.split()], stdout=closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("closing", [">&-", "2>&-", "<&-"])
def test_a_closed_standard_stream_is_borne(closing: str) -> None:
    """cron and daemons close what they do not need."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m glmcli completion bash {closing}"], capture_output=True
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


WAITING = """
import sys, time
from types import ModuleType
from glmcli import registry
from glmcli.commands.options import command_app
module = ModuleType("glmcli.commands.waiting")
module.app = command_app()
@module.app.command()
def waiting():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
sys.modules["glmcli.commands.waiting"] = module
registry.COMMANDS["waiting"] = registry.CommandEntry("waiting", "Wait.", "waiting", "Ask")
sys.argv = ["glm", "waiting"]
from glmcli.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
def test_a_signal_unwinds(number: signal.Signals, code: int) -> None:
    """Temporary files and cursors are put right before the process ends with the usual code."""
    process = subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        rest, told = process.communicate(timeout=30)
    assert (process.returncode, rest) == (code, b"cleaned up\n")
    assert b"Traceback" not in told


def test_run_takes_streams_and_environment() -> None:
    """`run` is a function: it neither needs nor touches the process."""
    out = BytesIO()
    streams = Streams(stdin=BytesIO(), stdout=out, stderr=BytesIO(), environ={})
    assert cli.run(["--version"], streams=streams, environ={}) == 0
    assert out.getvalue().decode() == f"glm {__version__}\n"
