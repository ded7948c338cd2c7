"""Groups of commands: no option of a group is taken and forgotten."""

from typing import Any

from typer.core import TyperGroup

_TYPED = "COMMANDLINE"


class CommandGroup(TyperGroup):
    """
    A group whose own options are for itself alone: before one of its commands they are refused.

    ``softops conformance --quick dump DIR`` would else write every case, and say nothing of ``--quick``.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; ValueError where options of the group stand before it."""
        found = super().resolve_command(ctx, args)
        if given := " ".join(typed_options(ctx)):
            message = (
                f"expected options behind the command that they are for (got {given} before {args[0]}); "
                f"write {ctx.command_path} {args[0]} … {given}"
            )
            raise ValueError(message)
        return found


def typed_options(context: Any) -> list[str]:
    """Return the options that were typed for a command or group itself, by their long names."""
    found = []
    for param in context.command.params:
        source = context.get_parameter_source(param.name)
        if source is not None and source.name == _TYPED:
            found.append(max(param.opts, key=len))
    return found
