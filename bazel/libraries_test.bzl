"""Tests of libraries.bzl; they run while //bazel is loaded, which every build does."""

load("//bazel:expect.bzl", "expect")
load("//bazel:libraries.bzl", "is_met", "unmet_needs")

def libraries_test():
    """Fails the loading of the package that calls it when the version rule is broken."""
    for need, version, met in [
        ("0.1", "0.1.0", True),
        ("0.1", "0.1.7", True),
        ("0.1.2", "0.1.1", False),
        ("0.1", "0.2.0", False),
        ("0.1", "1.0.0", False),
        ("1.2", "1.10.0", True),
        ("1.2", "1.1.9", False),
        ("1.2", "2.2.0", False),
    ]:
        expect("is_met(%s, %s)" % (need, version), is_met(need, version), met)

    libraries = {
        "a": struct(version = "0.3.0", needs = {"b": "0.2", "c": "0.1", "d": "0.1"}),
        "b": struct(version = "0.2.1", needs = {}),
        "c": struct(version = "0.2.0", needs = {}),
    }
    expect("unmet_needs(b)", unmet_needs("b", libraries), [])
    expect("unmet_needs(a)", unmet_needs("a", libraries), [
        "a 0.3.0 needs c 0.1, but it is 0.2.0 here: update c, or NEEDS in a/version.bzl.",
        "a 0.3.0 needs d 0.1, which is no library: update d, or NEEDS in a/version.bzl.",
    ])
