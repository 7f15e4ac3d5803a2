"""Command `completion`: a script for completion in the user's shell, generated from the options of the program."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from ._arguments import create_parser
from ._console import PROGRAM, Exit
from ._parser import Parser

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
    parser = create_parser()
    script = _fish(parser) if options.shell == "fish" else _bash(parser)
    if options.shell == "zsh":
        script = _ZSH.format(program=PROGRAM) + script.partition("\n")[2]
    sys.stdout.write(script)
    return Exit.OK


def _bash(parser: Parser) -> str:
    choices, options = [], []
    for name, command in [*parser.commands.items(), ("*", parser)]:
        words = [*parser.commands] if command is parser else []
        has_words = command is parser
        for argument in command.arguments:
            words += argument.option_strings
            values = [*map(str, argument.choices or ())]
            if argument.option_strings and values:
                patterns = "|".join(f"{name}:{option}" for option in argument.option_strings)
                choices.append(f"        {patterns}) {_reply(values)}; return;;")
            elif values:
                words += values
                has_words = True
        # Without words, the shell completes the names of files.
        condition = "" if has_words else "[[ $current == -* ]] && "
        options.append(f"        {name}) {condition}{_reply(words)};;")
    return _BASH.format(
        program=PROGRAM, commands="|".join(parser.commands), choices="\n".join(choices), options="\n".join(options)
    )


def _reply(words: Iterable[str]) -> str:
    return f'COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$current"))'


def _fish(parser: Parser) -> str:
    path = f"~/.config/fish/completions/{PROGRAM}.fish"
    lines = [f"# Completion of {PROGRAM} for fish: {PROGRAM} completion fish > {path}"]
    for name, command in parser.commands.items():
        lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -f -a {name} -d {_quote(command.description)}")
    for name, command in [("", parser), *parser.commands.items()]:
        condition = f"__fish_seen_subcommand_from {name}" if name else "__fish_use_subcommand"
        for argument in command.arguments:
            flags = [f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                     for option in argument.option_strings]  # fmt: skip
            if argument.choices:
                flags.append(f"-x -a '{' '.join(map(str, argument.choices))}'")
            elif argument.nargs != 0 and argument.option_strings:
                flags.append("-r")
            if flags:
                lines.append(f"complete -c {PROGRAM} -n '{condition}' {' '.join(flags)} -d {_quote(argument.help)}")
    return "\n".join(lines) + "\n"


def _quote(text: str | None) -> str:
    return "'" + (text or "").replace("\\", "\\\\").replace("'", "\\'") + "'"
