"""For tests that run while a package is loaded."""

def expect(what, actual, expected):
    """Fails the loading when `actual`, of which `what` tells, is not `expected`."""
    if actual != expected:
        fail("%s is %r, expected %r" % (what, actual, expected))
