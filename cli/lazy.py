"""Command groups: one that imports a command only when it runs, and one whose default command is `list`."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import rich_click as click

from cli.entry import imports_are_done
from cli.examples import EXAMPLES
from cli.output.interrupts import CommandInterrupted


class ListingGroup(click.RichGroup):
    """A group that runs its command `list` where no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `list` before options that are not for the group itself."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


class LazyCommand(click.RichCommand):
    """A command in the help of its group; the command at `place`, a `module:attribute`, is imported to run it."""

    def __init__(self, name: str, place: str, summary: str) -> None:
        super().__init__(name=name, help=summary)
        self._place = place

    def load(self) -> click.Command:
        """Import the command itself, with its examples."""
        module, _, attribute = self._place.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        assert self.name is not None
        _add_examples(command, self.name)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context of the command itself, which click then invokes."""
        command = self.load()
        imports_are_done()
        return command.make_context(info_name, args, parent, **extra)


def _add_examples(command: click.Command, words: str) -> None:
    """Add its example to the help of a command, and to those of a group's commands."""
    if words in EXAMPLES:
        command.epilog = f"Example:  {EXAMPLES[words]}"
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            _add_examples(one, f"{words} {name}")


class LazyGroup(click.RichGroup):
    """A group of lazy commands; `commands` maps a name to its place and its summary, in the order of the help."""

    def __init__(self, *, commands: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        lazy: dict[str, click.Command] = {
            name: LazyCommand(name, place, summary) for name, (place, summary) in commands.items()
        }
        super().__init__(commands=lazy, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take `version` for `--version`: other programs have it as a command."""
        return super().parse_args(ctx, ["--version"] if args == ["version"] else args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name, in order."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C ends each with the same status."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise CommandInterrupted("interrupted") from None
