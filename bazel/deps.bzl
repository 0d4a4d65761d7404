"""Sluice's dependencies for a project that still has a WORKSPACE. Best effort: prefer MODULE.bazel."""

load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")
load("//bazel:archives.bzl", "missing_archives")
load("//bazel:versions.bzl", "DEPENDENCIES")

def sluice_deps(dev = False):
    """Declares the repositories that Sluice's BUILD files name, except those that the WORKSPACE already has.

    boost.interprocess and jemalloc have no archive that Bazel can build without more rules; whoever uses
    //ipc_shm_classic or //ipc_shm_jemalloc declares repositories of these names.
    rules_cc of this version wants its `compatibility_proxy_repo()` called next, as its release notes say; it is in
    @rules_cc//cc:extensions.bzl.

    Args:
      dev: True to get what Sluice's own tests, benchmarks and examples need as well.
    """
    for attributes in missing_archives(DEPENDENCIES, native.existing_rules(), dev):
        http_archive(**attributes)
