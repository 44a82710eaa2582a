"""Arguments and options that several commands take, each said once."""

from typing import Annotated

import typer

from devmount.cli import completing

Services = Annotated[
    list[str] | None, typer.Argument(help="Services; none: all of them.", autocompletion=completing.services)
]
Service = Annotated[str, typer.Argument(help="The service.", autocompletion=completing.services)]
Volume = Annotated[str, typer.Argument(help="The volume, by its name in the file.", autocompletion=completing.volumes)]
Volumes = Annotated[
    list[str], typer.Argument(help="Volumes, by their names in the file.", autocompletion=completing.volumes)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
