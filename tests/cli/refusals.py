"""Commands that must fail."""

from softops.cli.main import run


def refused(arguments, capsys):
    """Run arguments that must fail; return the one line they leave on stderr."""
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("softops: ")
    assert err.count("\n") == 1
    return err
