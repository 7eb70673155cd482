"""What `embed`, `rerank` and `moderate` have in common: parameters."""

from __future__ import annotations

from typing import Annotated

import typer

Texts = Annotated[
    list[str] | None,
    typer.Argument(help="Texts, each one of its own; else the lines of standard input.", metavar="TEXT..."),
]
Files = Annotated[
    list[str] | None, typer.Option("-f", "--file", help="Take every line of a file; repeat for more.", metavar="FILE")
]
Field = Annotated[
    str | None,
    typer.Option("--field", help="Read lines as JSON objects, and take this field.", metavar="NAME"),
]
Output = Annotated[
    str | None, typer.Option("-o", "--output", help="Write to this file; - is standard output.", metavar="FILE")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")]
Model = Annotated[str | None, typer.Option("-m", "--model", help="Use this model.", metavar="ID")]
Experimental = Annotated[bool, typer.Option("--experimental", help="Try at Z.AI what only Zhipu documents.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set another request field; the value is JSON or text.", metavar="KEY=VALUE"),
]
