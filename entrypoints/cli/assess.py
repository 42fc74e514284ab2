"""placeholder"""


def assess() -> None: ...
