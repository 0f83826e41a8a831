"""Options that hold several numbers by name: `control=0.95,treatment=0.05`."""


def numbers_of(option: str, text: str) -> dict[str, float]:
    """The numbers by name in an option's text.

    Raises:
        Invalid: Naming each part that is no number by name.
    """
    from tasuki.errors import Fault, Invalid

    found: dict[str, float] = {}
    faults = []
    for part in text.split(","):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            faults.append(Fault(option, f"{part!r} is no number by name", "NAME=NUMBER,…"))
    if faults:
        raise Invalid(f"{option} cannot be read", faults)
    return found


def counts_of(option: str, text: str) -> dict[str, int]:
    """The whole numbers by name in an option's text.

    Raises:
        Invalid: Naming each part that is no count.
    """
    from tasuki.errors import Fault, Invalid

    found = numbers_of(option, text)
    faults = [Fault(option, f"{name}={one:g} is no count", "0 or more") for name, one in found.items() if one % 1 != 0]
    if faults:
        raise Invalid(f"{option} cannot be read", faults)
    return {name: int(one) for name, one in found.items()}
