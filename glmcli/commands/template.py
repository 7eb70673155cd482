"""`glm template`: prompts that are used again and again."""

from __future__ import annotations

from typing import Annotated

import typer

from glmcli.commands.options import context_of, examples, group_app
from glmcli.context import AppContext
from glmcli.errors import ConfigError, UsageError

app = group_app("Keep prompts with variables for later use.")

Name = Annotated[str, typer.Argument(help="The template.", metavar="NAME", show_default=False)]

_STARTER = """\
description = "{description}"
# model = "glm-5.3"
# think = "high"
# temperature = 0.2
{system}
# {{{{input}}}} is what is typed or piped in; any other {{{{name}}}} is given with --var name=value.
{prompt}
# [defaults]
# name = "value"
"""


@app.command("list", epilog=examples("glm template list", "glm template list --json"))
def list_(ctx: typer.Context) -> None:
    """List templates."""
    run_list(context_of(ctx))


def run_list(app: AppContext) -> None:
    """Print name, model and description; a broken template is told and does not hide the others."""
    from glmcli.templates import read_template, template_names

    found = []
    for name in template_names(app):
        try:
            found.append(read_template(app, name)[0])
        except ConfigError as error:
            app.streams.complain(f"glm: {error.message}")
    if app.options.json:
        rows = [
            {"name": t.name, "model": t.model, "description": t.description, "variables": list(t.variables)}
            for t in found
        ]
        app.streams.write_json({"schema_version": 1, "templates": rows})
        return
    if not found:
        app.streams.note("no templates yet; make one with: glm template new NAME")
    _write_table(app, [(t.name, t.model or "", ", ".join(t.variables), t.description) for t in found])


def _write_table(app: AppContext, rows: list[tuple[str, str, str, str]]) -> None:
    if not app.streams.stdout_is_tty:
        for row in rows:
            app.streams.write_line("\t".join(row))
    elif rows:
        from glmcli.render.columns import columns

        header = ("NAME", "MODEL", "VARIABLES", "DESCRIPTION")
        for line in columns(header, rows, width=app.streams.width, flexible=3):
            app.streams.write_line(line)


@app.command(epilog=examples("glm template show review", "glm template show review --json"))
def show(ctx: typer.Context, name: Name) -> None:
    """Show a template."""
    run_show(context_of(ctx), name)


def run_show(app: AppContext, name: str) -> None:
    """Print the file as it is, or its parts as JSON."""
    from glmcli.templates import read_template

    template, text = read_template(app, name)
    if not app.options.json:
        app.streams.write(text if text.endswith("\n") else f"{text}\n")
        return
    app.streams.write_json(
        {
            "schema_version": 1,
            "name": template.name,
            "path": str(template.path),
            "description": template.description,
            "system": template.system,
            "prompt": template.prompt,
            "model": template.model,
            "options": dict(template.options),
            "defaults": dict(template.defaults),
            "variables": list(template.variables),
            "wants_input": template.wants_input,
        }
    )


@app.command(
    epilog=examples("glm template new review", 'glm template new translate --prompt "Translate into {{to}}: {{input}}"')
)
def new(
    ctx: typer.Context,
    name: Name,
    prompt: Annotated[
        str | None, typer.Option(help="Its prompt; without one the editor opens.", metavar="TEXT")
    ] = None,
    system: Annotated[str | None, typer.Option("-s", "--system", help="Its system message.", metavar="TEXT")] = None,
    description: Annotated[str, typer.Option(help="What it is for.", metavar="TEXT")] = "",
) -> None:
    """Make a template."""
    run_new(context_of(ctx), name, prompt=prompt, system=system, description=description)


def run_new(app: AppContext, name: str, *, prompt: str | None, system: str | None, description: str) -> None:
    """Write a new file, by way of the editor when no text was given. Raises UsageError when there is one."""
    from glmcli.templates import save_template, template_path

    if template_path(app, name).exists():
        raise UsageError(f"there is a template {name!r} already", hint=f"glm template edit {name}")
    text = _STARTER.format(
        description=_escaped(description),
        system=f'system = "{_escaped(system)}"' if system else '# system = "You are …"',
        prompt=f'prompt = "{_escaped(prompt)}"' if prompt else 'prompt = """\n{{input}}\n"""',
    )
    if prompt is None and system is None:
        _edit_and_save(app, name, text)
    else:
        app.streams.note(f"glm: {save_template(app, name, text)}")


def _escaped(text: str) -> str:
    """A text for between the quotes of TOML; JSON escapes it the same way."""
    import json

    return json.dumps(text, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")


@app.command(epilog=examples("glm template edit review", "EDITOR=nano glm template edit review"))
def edit(ctx: typer.Context, name: Name) -> None:
    """Open a template in the editor and check it."""
    run_edit(context_of(ctx), name)


def run_edit(app: AppContext, name: str) -> None:
    """Replace a template by what leaves the editor, if that is good."""
    from glmcli.config.store import read_text
    from glmcli.templates import template_path

    text = read_text(template_path(app, name))
    if text is None:
        raise UsageError(f"there is no template {name!r}", hint=f"glm template new {name}")
    _edit_and_save(app, name, text)


def _edit_and_save(app: AppContext, name: str, text: str) -> None:
    """Open the editor until the text is good, or the user gives up: the text is then kept beside the template."""
    from glmcli.config.files import write_private
    from glmcli.editor import edit_text
    from glmcli.templates import save_template, template_path

    if app.options.no_input:
        raise UsageError("an editor needs a person", hint=f'glm template new {name} --prompt "…{{{{input}}}}"')
    while True:
        text = edit_text(app.environ, text, suffix=".toml")
        try:
            app.streams.note(f"glm: {save_template(app, name, text)}")
            return
        except ConfigError as error:
            if app.prompter.can_ask:
                app.streams.complain(f"glm: {error.message}")
                if app.prompter.confirm("Edit it again?", default=True):
                    continue
            kept = template_path(app, name).with_suffix(".toml.rejected")
            write_private(kept, text.encode())
            raise ConfigError(error.message, hint=f"{error.hint or 'mend it'} (your text is kept: {kept})") from None
