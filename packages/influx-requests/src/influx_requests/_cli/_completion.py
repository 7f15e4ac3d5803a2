"""Command `completion`: a script for completion in the user's shell, generated from the options of the program."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator

from ._arguments import create_parser
from ._console import PROGRAM, Exit
from ._parser import Parser

_BASH = """\
# Completion of {program} for bash. In ~/.bashrc: eval "$({program} completion bash)"
_{program}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command= word
    # The sign in --option=value is a word.
    if [[ $current == = ]]; then current=; elif [[ $previous == = ]]; then previous=${{COMP_WORDS[COMP_CWORD-2]}}; fi
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
_{program}() {{
    local curcontext=$curcontext state line
    _arguments -C : \\
        {options} \\
        '1:command:(({commands}))' '*::argument:->arguments' && return
    [[ $state == arguments ]] && case $words[1] in
{cases}
    esac
}}
compdef _{program} {program}
"""

_FISH = """\
# Completion of {program} for fish: {program} completion fish > ~/.config/fish/completions/{program}.fish
function __{program}_command_is --description 'Compare the command of the line with the argument, or with none'
    for word in (commandline -opc)
        if contains -- $word {commands}
            test "$word" = "$argv"
            return
        end
    end
    test -z "$argv"
end
{lines}
"""

#: Placeholders of arguments that are the names of files.
_FILES = {"FILE", "IMAGE"}


def run(options: argparse.Namespace) -> Exit:
    """Print the script."""
    generate = {"bash": _bash, "zsh": _zsh, "fish": _fish}[options.shell]
    sys.stdout.write(generate(create_parser()))
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


def _zsh(parser: Parser) -> str:
    commands, cases = [], []
    for name, command in parser.commands.items():
        commands.append(f'{name}\\:"{_escape_zsh((command.description or "").rstrip("."))}"')
        cases.append(f"        {name}) _arguments : {' '.join(_zsh_arguments(command))};;")
    return _ZSH.format(
        program=PROGRAM,
        options=" ".join(_zsh_arguments(parser)),
        commands=" ".join(commands),
        cases="\n".join(cases),
    )


def _zsh_arguments(parser: Parser) -> Iterator[str]:
    """Yield the arguments of a parser, as `_arguments` of zsh expects them."""
    for argument in parser.arguments:
        label = str(argument.metavar or argument.dest).lower()
        values = "_files" if argument.metavar in _FILES else f"({' '.join(map(str, argument.choices or ()))})"
        colons = "::" if argument.nargs == "?" else ":"
        value = "" if argument.nargs == 0 else f"{colons}{label}:{values}"
        for option in argument.option_strings:
            sign = "" if argument.nargs == 0 else "=" if option.startswith("--") else "+"
            yield f"'*{option}{sign}[{_escape_zsh(argument.help or '')}]{value}'"
        if not argument.option_strings:
            yield f"'*{value}'"


def _escape_zsh(text: str) -> str:
    return re.sub(r'([][\\:"$`])', r"\\\1", text).replace("'", "'\\''")


def _fish(parser: Parser) -> str:
    is_command = f"__{PROGRAM}_command_is"
    lines = []
    for name, command in parser.commands.items():
        lines.append(f"complete -c {PROGRAM} -n {is_command} -f -a {name} -d {_quote(command.description)}")
    for name, command in [("", parser), *parser.commands.items()]:
        start = f"complete -c {PROGRAM} -n '{is_command} {name}'"
        if not any(argument.metavar in _FILES for argument in command.arguments if not argument.option_strings):
            lines.append(f"{start} -f")
        for argument in command.arguments:
            flags = [f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
                     for option in argument.option_strings]  # fmt: skip
            if argument.choices:
                flags.append(f"-x -a '{' '.join(map(str, argument.choices))}'")
            elif argument.nargs != 0 and argument.option_strings:
                flags.append("-r -F" if argument.metavar in _FILES else "-x")
            if flags:
                lines.append(f"{start} {' '.join(flags)} -d {_quote(argument.help)}")
    return _FISH.format(program=PROGRAM, commands=" ".join(parser.commands), lines="\n".join(lines))


def _quote(text: str | None) -> str:
    return "'" + (text or "").replace("\\", "\\\\").replace("'", "\\'") + "'"
