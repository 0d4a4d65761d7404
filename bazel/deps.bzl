"""Sluice's dependencies for a project that still has a WORKSPACE. Best effort: prefer MODULE.bazel."""

load("@bazel_tools//tools/build_defs/repo:http.bzl", "http_archive")
load("//bazel:versions.bzl", "DEPENDENCIES")

def sluice_deps(dev = False):
    """Declares the repositories that Sluice's BUILD files name, except those that the WORKSPACE already has.

    boost.interprocess and jemalloc have no archive that Bazel can build without more rules; whoever uses
    //ipc_shm_classic or //ipc_shm_jemalloc declares repositories of these names.

    Args:
      dev: True to get what Sluice's own tests, benchmarks and examples need as well.
    """
    for dependency in DEPENDENCIES.values():
        archive = dependency.archive
        if not archive or dependency.dev and not dev or native.existing_rule(dependency.repository):
            continue
        attributes = {"build_file_content": archive.build_file_content} if archive.build_file_content else {}
        http_archive(
            name = dependency.repository,
            url = archive.url,
            integrity = archive.integrity,
            strip_prefix = archive.strip_prefix,
            **attributes
        )
