"""Tests of archives.bzl and of the table; they run while //bazel is loaded, which every build does."""

load("//bazel:archives.bzl", "missing_archives", "sha256_of")
load("//bazel:expect.bzl", "expect")
load("//bazel:versions.bzl", "DEPENDENCIES")

def _names(existing, dev):
    return [attributes["name"] for attributes in missing_archives(DEPENDENCIES, existing, dev)]

def archives_test():
    """Fails the loading of the package that calls it when a row of the table is not as sluice_deps() needs it."""
    expect(
        "the digest of nothing",
        sha256_of("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    )

    with_archive = [row for row in DEPENDENCIES.values() if row.archive]
    everyones = [row.repository for row in with_archive if not row.dev]
    expect("what a WORKSPACE gets", _names([], dev = False), everyones)
    expect("what one for our tests gets", _names([], dev = True), [row.repository for row in with_archive])
    expect("what is left of two", _names(everyones[2:], dev = False), everyones[:2])

    for module, row in DEPENDENCIES.items():
        if not row.archive:
            continue

        # Fixes of the registry's own, which have no release upstream.
        release = row.version.split(".bcr.")[0]
        if release not in row.archive.url:
            fail("%s is %s, but its archive is %s" % (module, row.version, row.archive.url))
        if row.archive.strip_prefix and release not in row.archive.strip_prefix:
            fail("%s is %s, but its archive has the folder %s" % (module, row.version, row.archive.strip_prefix))
        expect("the number of digits for " + module, len(sha256_of(row.archive.integrity)), 64)
