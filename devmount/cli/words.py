"""The words of a command line: which of them go with every command."""

VALUE_OPTIONS = ("-C", "--file", "--profile", "--engine")
FLAGS = ("--debug",)


def hoist(arguments: list[str]) -> list[str]:
    """Move the options that every command takes to the front, from anywhere before ``--``."""
    common, rest = parted(arguments)
    return common + rest


def parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The options that every command takes, from anywhere before ``--``, and all the rest."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    common: list[str] = []
    rest: list[str] = []
    words = iter(arguments[:end])
    for word in words:
        if word in FLAGS or word.startswith(tuple(f"{option}=" for option in VALUE_OPTIONS if option != "-C")):
            common.append(word)
        elif word in VALUE_OPTIONS:
            common += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            rest.append(word)
    return common, rest + arguments[end:]
