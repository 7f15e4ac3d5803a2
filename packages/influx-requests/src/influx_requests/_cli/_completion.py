"""Command `completion`: a script for completion in the user's shell, generated from the options of the program."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from ._console import PROGRAM, Exit

_BASH = """\
# Completion of {program} for bash. In ~/.bashrc: eval "$({program} completion bash)"
_{program}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command= word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in {commands}) command=$word; break;; esac
    done
    case $command:$previous in
{choices}
    esac
    case $command in
{options}
    esac
}}
complete -o default -F _{program} {program}
"""

_ZSH = """\
# Completion of {program} for zsh. In ~/.zshrc, after compinit: eval "$({program} completion zsh)"
autoload -U +X bashcompinit && bashcompinit
"""


def run(options: argparse.Namespace) -> Exit:
    """Print the script."""
    from ._arguments import create_parser  # noqa: PLC0415 - the arguments name this module

    parser = create_parser()
    script = _fish(parser) if options.shell == "fish" else _bash(parser)
    if options.shell == "zsh":
        script = _ZSH.format(program=PROGRAM) + script.partition("\n")[2]
    sys.stdout.write(script)
    return Exit.OK


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the commands."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            return dict(action.choices)
    return {}


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (action for action in parser._actions if action.option_strings)  # noqa: SLF001 - as above


def _bash(parser: argparse.ArgumentParser) -> str:
    commands = commands_of(parser)
    choices, options = [], []
    for name, command in [*commands.items(), ("", parser)]:
        for action in _options(command):
            if action.choices:
                patterns = "|".join(f"{name}:{option}" for option in action.option_strings)
                words = " ".join(map(str, action.choices))
                choices.append(f'        {patterns}) COMPREPLY=($(compgen -W "{words}" -- "$current")); return;;')
        words = " ".join(option for action in _options(command) for option in action.option_strings)
        if name:
            positional = [word for action in command._get_positional_actions() for word in action.choices or ()]  # noqa: SLF001 - as above
            words = " ".join([words, *positional])
            condition = "" if positional else "[[ $current == -* ]] && "
            options.append(f'        {name}) {condition}COMPREPLY=($(compgen -W "{words}" -- "$current"));;')
        else:
            words += f" {' '.join(commands)}"
            options.append(f'        *) COMPREPLY=($(compgen -W "{words}" -- "$current"));;')
    return _BASH.format(
        program=PROGRAM, commands="|".join(commands), choices="\n".join(choices), options="\n".join(options)
    )


def _fish(parser: argparse.ArgumentParser) -> str:
    commands = commands_of(parser)
    lines = [
        f"# Completion of {PROGRAM} for fish: {PROGRAM} completion fish > ~/.config/fish/completions/{PROGRAM}.fish"
    ]
    for name, command in commands.items():
        summary = (command.description or "").rstrip(".").replace("'", "\\'")
        lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -f -a {name} -d '{summary}'")
    for name, command in [("", parser), *commands.items()]:
        condition = f"__fish_seen_subcommand_from {name}" if name else "__fish_use_subcommand"
        for action in _options(command):
            flags = " ".join(
                f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                for option in action.option_strings
            )
            value = ""
            if action.choices:
                value = f" -x -a '{' '.join(map(str, action.choices))}'"
            elif action.nargs != 0:
                value = " -r"
            summary = (action.help or "").replace("'", "\\'")
            lines.append(f"complete -c {PROGRAM} -n '{condition}' {flags}{value} -d '{summary}'")
    return "\n".join(lines) + "\n"
