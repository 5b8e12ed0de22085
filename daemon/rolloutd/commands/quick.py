"""A command line that is understood quickly.

Typer hands every parameter to pydantic, which takes longer to import than a list takes to print.
Where parameters are taken as they are written, there is nothing for it to do.
"""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class Commands(TyperGroup):
    """All commands; the options before them are looked at only if there are any."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As a group does."""
        if not args or args[0] not in self.commands:
            return super().parse_args(ctx, args)
        options, self.params = self.params, []
        self.add_help_option = False
        try:
            return super().parse_args(ctx, args)
        finally:
            self.params = options
            self.add_help_option = True


class QuickCommand(TyperCommand):
    """A command whose parameters are flags, texts, lists of texts, and seldom given numbers."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As a command does, which is left all that is not plain."""
        given, extra, _ = self.make_parser(ctx).parse_args(args=list(args))
        written = {param.name: given.get(param.name) for param in self.params}
        numbers = [name for name in self._numbers() if written[name] is not None]
        missing = [param for param in self.params if param.required and written[param.name] is None]
        if extra or missing or numbers or given.get("help") or ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        for param in self.params:
            value = written[param.name]
            ctx.params[param.name] = param.default if value is None else value
        return []

    def _numbers(self) -> list[str]:
        params: list[Any] = self.params
        return [each.name for each in params if each.type_descriptor.annotation in (int, float)]
