"""The one table of Sluice's dependencies. MODULE.bazel repeats the versions, and a test compares the two."""

def _archive(url, integrity, strip_prefix = "", build_file_content = ""):
    return struct(
        url = url,
        integrity = integrity,
        strip_prefix = strip_prefix,
        build_file_content = build_file_content,
    )

def _dependency(version, repository, archive = None, dev = False):
    """A row of the table.

    Args:
      version: of the module in the Bazel registry.
      repository: the name by which our BUILD files call it.
      archive: the same release for a WORKSPACE; None if its user has to bring the repository.
      dev: True if only Sluice's own tests, benchmarks and examples need it.

    Returns:
      a struct of the arguments.
    """
    return struct(version = version, repository = repository, archive = archive, dev = dev)

_XXHASH_BUILD = """
cc_library(
    name = "xxhash",
    srcs = ["xxhash.c"],
    hdrs = ["xxh3.h", "xxhash.h"],
    includes = ["."],
    visibility = ["//visibility:public"],
)
"""

DEPENDENCIES = {
    "abseil-cpp": _dependency(
        "20260526.0",
        "com_google_absl",
        _archive(
            "https://github.com/abseil/abseil-cpp/releases/download/20260526.0/abseil-cpp-20260526.0.tar.gz",
            "sha256-bhruU1RzQUFkv4Pk68QCQN7HGkcB+KZC2QbpW+oa6gw=",
            "abseil-cpp-20260526.0",
        ),
    ),
    "bazel_skylib": _dependency(
        "1.8.2",
        "bazel_skylib",
        _archive(
            "https://github.com/bazelbuild/bazel-skylib/releases/download/1.8.2/bazel-skylib-1.8.2.tar.gz",
            "sha256-bnjw5X3iaAH29WT6fEpI3Is2hz5BYlepK7sJN+6shEY=",
        ),
    ),
    "boost.asio": _dependency("1.90.0.bcr.1", "boost.asio", dev = True),
    "boost.interprocess": _dependency("1.90.0.bcr.1", "boost.interprocess"),
    "capnp-cpp": _dependency(
        "1.4.0",
        "capnp-cpp",
        _archive(
            "https://github.com/capnproto/capnproto/archive/refs/tags/v1.4.0.tar.gz",
            "sha256-wKDXigfoIfe64mx/ysIKkgLrPWOaZzsmBrdgkqHzW2s=",
            "capnproto-1.4.0/c++",
        ),
    ),
    "google_benchmark": _dependency(
        "1.9.5",
        "google_benchmark",
        _archive(
            "https://github.com/google/benchmark/archive/refs/tags/v1.9.5.tar.gz",
            "sha256-ljE0HIK6xKKIvvlR+LJrQfaQIXlBhOzpafhHOXfqo0A=",
            "benchmark-1.9.5",
        ),
        dev = True,
    ),
    "googletest": _dependency(
        "1.17.0.bcr.2",
        "com_google_googletest",
        _archive(
            "https://github.com/google/googletest/releases/download/v1.17.0/googletest-1.17.0.tar.gz",
            "sha256-Zfq3AdmCnTjLd8FKzcQx0hCL/b+JeeQOuK5Wft8Qsnw=",
            "googletest-1.17.0",
        ),
        dev = True,
    ),
    "gperftools": _dependency("2.18.1", "gperftools", dev = True),
    "jemalloc": _dependency("5.3.0-bcr.alpha.5", "jemalloc"),
    "platforms": _dependency(
        "1.0.0",
        "platforms",
        _archive(
            "https://github.com/bazelbuild/platforms/releases/download/1.0.0/platforms-1.0.0.tar.gz",
            "sha256-KXQuhydYCbXlmNwvBNhpYMx6VbMGfZciHJq7yZJr/w8=",
        ),
    ),
    "rules_cc": _dependency(
        "0.2.17",
        "rules_cc",
        _archive(
            "https://github.com/bazelbuild/rules_cc/releases/download/0.2.17/rules_cc-0.2.17.tar.gz",
            "sha256-KD+hzarxcjN4mHSc9Lmx716iadpZVAlU5R+6DnuPJ3o=",
            "rules_cc-0.2.17",
        ),
    ),
    "xxhash": _dependency(
        "0.8.3.bcr.1",
        "xxhash",
        _archive(
            "https://github.com/Cyan4973/xxHash/archive/refs/tags/v0.8.3.tar.gz",
            "sha256-quYI3+ghPf0F2QmldxjvgvMHIsOSNEWD0/OQUMfymoA=",
            "xxHash-0.8.3",
            build_file_content = _XXHASH_BUILD,
        ),
    ),
}
