"""The macros that Sluice's BUILD files use in place of the C++ rules."""

load("@rules_cc//cc:cc_binary.bzl", "cc_binary")
load("@rules_cc//cc:cc_library.bzl", "cc_library")
load("@rules_cc//cc:cc_test.bzl", "cc_test")
load("//bazel:libraries.bzl", "LIBRARIES", "unmet_needs")

_GTEST = "@com_google_googletest//:gtest"
_GTEST_MAIN = "@com_google_googletest//:gtest_main"
_BENCHMARK = "@google_benchmark//:benchmark"

# Every target includes only headers of its direct dependencies.
_FEATURES = ["layering_check"]

def _in_own_repository():
    """Whether Sluice is what is being built, rather than a dependency of what is."""
    if hasattr(native, "repo_name"):
        return native.repo_name() == ""
    return native.repository_name() == "@"

def _common(kwargs):
    """The caller's attributes with warnings, checks and the demand for C++20 added."""
    if _in_own_repository():
        # First, so that a target can switch one off again. A user's build never breaks over a check of ours.
        kwargs["copts"] = ["-Wall", "-Wextra", "-Werror"] + kwargs.get("copts", [])
        kwargs["features"] = _FEATURES + kwargs.get("features", [])
    kwargs["deps"] = kwargs.get("deps", []) + ["//bazel:require_cpp20"]
    return kwargs

def _compiled_alone(headers, testonly):
    """Sources that include one of the headers each, for those that neither a source nor a test includes before others.

    //tools:include_check looks at the order of the rest.
    """
    sources = []
    for header in headers:
        stem = header[:-len(".h")]
        if native.glob([stem + ".cc", stem + "_test.cc"], allow_empty = True):
            continue
        sources.append(stem + "_alone.cc")
        native.genrule(
            name = stem + "_alone",
            testonly = testonly,
            outs = [sources[-1]],
            cmd = "echo '#include \"%s/%s\"' > $@" % (native.package_name(), header),
        )
    return sources

def sluice_cc_library(name, hdrs = [], srcs = [], testonly = False, visibility = ["//visibility:private"], **kwargs):
    """A cc_library, private unless it says otherwise, whose headers are compiled alone.

    Args:
      name: of the target: the header's name without .h.
      hdrs: as for cc_library.
      srcs: as for cc_library.
      testonly: as for cc_library.
      visibility: private by default.
      **kwargs: as for cc_library.
    """
    cc_library(
        name = name,
        srcs = srcs + (_compiled_alone(hdrs, testonly) if _in_own_repository() else []),
        hdrs = hdrs,
        testonly = testonly,
        visibility = visibility,
        **_common(kwargs)
    )

def sluice_cc_binary(name, visibility = ["//visibility:private"], **kwargs):
    """A cc_binary, private unless it says otherwise.

    Args:
      name: of the target.
      visibility: private by default.
      **kwargs: as for cc_binary.
    """
    cc_binary(
        name = name,
        visibility = visibility,
        **_common(kwargs)
    )

def sluice_cc_benchmark(name, deps = [], **kwargs):
    """A program that links with Google Benchmark; it has its own main, or uses BENCHMARK_MAIN().

    Args:
      name: of the target.
      deps: besides the benchmark library.
      **kwargs: as for cc_binary.
    """
    sluice_cc_binary(
        name = name,
        testonly = True,
        deps = deps + [_BENCHMARK],
        **kwargs
    )

def sluice_cc_test(
        name,
        size = "small",
        main = True,
        stress = None,
        variants = {},
        no_sandbox = False,
        srcs = [],
        deps = [],
        data = [],
        env = {},
        tags = []):
    """A cc_test with GoogleTest, one static program.

    Args:
      name: of the target: the tested header's name with _test.
      size: as for cc_test.
      main: False if the test brings its own main, as one does that runs itself as another process.
      stress: if given, a dict of environment variables: makes a second test `name_stress` that runs the same code with
        them. It is tagged `stress` and `manual`, so that `//...` leaves it out.
      variants: further tests of the same code, by name: for each a dict of what it has besides or in place of that of
        the first, in attributes of cc_test such as env and deps.
      no_sandbox: True for tests with several uids; the sandbox maps only one.
      srcs: as for cc_test; compiled once for all of them.
      deps: besides GoogleTest.
      data: of the first and the stress test.
      env: environment variables of the first and the stress test.
      tags: of all.
    """
    tests = {name: dict(data = data, env = env)}
    tests.update(variants)
    if stress != None:
        tests[name + "_stress"] = dict(data = data, env = dict(env, **stress), size = "large", tags = ["manual", "stress"])

    deps = deps + [_GTEST] + ([_GTEST_MAIN] if main else [])
    code = dict(srcs = srcs, deps = deps)
    if len(tests) > 1:
        cc_library(
            name = name + "_code",
            testonly = True,
            alwayslink = True,
            **_common(code)
        )
        code = dict(deps = [":" + name + "_code"])
    for test, own in tests.items():
        attributes = dict(size = size, linkstatic = True)
        attributes.update(code)
        attributes.update(own)
        attributes["deps"] = code["deps"] + own.get("deps", [])
        attributes["tags"] = tags + own.get("tags", []) + (["no-sandbox"] if no_sandbox else [])
        cc_test(name = test, **_common(attributes))

    # For documents that name tests.
    native.filegroup(
        name = name + "_sources",
        testonly = True,
        srcs = srcs,
        visibility = ["//doc:__pkg__"],
    )

def sluice_version():
    """Checks that the library of this package gets what its version.bzl needs, and makes `:version` with version.h.

    The header defines, for ipc_util 1.2.3, SLUICE_IPC_UTIL_VERSION "1.2.3" and SLUICE_IPC_UTIL_VERSION_NUMBER 10203.
    """
    library = native.package_name()
    unmet = unmet_needs(library, LIBRARIES)
    if unmet:
        fail("\n" + "\n".join(unmet))

    version = LIBRARIES[library].version
    numbers = [int(part) for part in version.split(".")]
    macro = "SLUICE_%s_VERSION" % library.upper()
    guard = macro + "_H_"
    lines = [
        "// Generated from %s/version.bzl." % library,
        "#ifndef " + guard,
        "#define " + guard,
        "#define %s \"%s\"" % (macro, version),
        "// major * 10000 + minor * 100 + patch",
        "#define %s_NUMBER %d" % (macro, numbers[0] * 10000 + numbers[1] * 100 + numbers[2]),
        "#endif  // " + guard,
    ]
    native.genrule(
        name = "version_h",
        outs = ["version.h"],
        cmd = "cat > $@ <<'END'\n%s\nEND" % "\n".join(lines),
    )
    sluice_cc_library(
        name = "version",
        hdrs = ["version.h"],
        visibility = ["//visibility:public"],
    )
