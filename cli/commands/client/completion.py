"""`atelier completion`: the completion of words in a shell."""

import rich_click as click
from click.shell_completion import get_completion_class

from cli.choices import NearestChoice


@click.command()
@click.argument("shell", type=NearestChoice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script by which a shell completes commands and options.

    For bash: `eval "$(atelier completion bash)"` in ~/.bashrc; for zsh the same with zsh in ~/.zshrc, after compinit;
    for fish: `atelier completion fish > ~/.config/fish/completions/atelier.fish`.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "atelier", "_ATELIER_COMPLETE").source())
