"""The macro for fuzz targets."""

load("//bazel:defs.bzl", "sluice_cc_binary", "sluice_cc_library", "sluice_cc_test")

_SUFFIX = "_fuzz_test"

def sluice_cc_fuzz_test(name, srcs, corpus, deps):
    """A fuzz target in two programs.

    `foo_fuzz_test` replays the corpus and some thousand mutations of it, in every build. `foo_fuzzer` is libFuzzer's
    program; it is tagged `manual`, and builds with `--config=fuzz`.

    Args:
      name: of the test; ends in `_fuzz_test`.
      srcs: define one function and pass it to SLUICE_FUZZ_TARGET (ipc_util/testing/fuzz/fuzz_target.h).
      corpus: files, one input each.
      deps: besides that header's target.
    """
    if not name.endswith(_SUFFIX):
        fail("the name of a fuzz test ends in %s, not %s" % (_SUFFIX, name))
    target = name[:-len("_test")] + "_target"
    files = name[:-len("_test")] + "_corpus"
    sluice_cc_library(
        name = target,
        testonly = True,
        srcs = srcs,
        deps = deps + ["//ipc_util/testing/fuzz:fuzz_target"],
        alwayslink = True,
    )
    native.filegroup(
        name = files,
        testonly = True,
        srcs = corpus,
    )
    sluice_cc_test(
        name = name,
        data = [files],
        env = {"SLUICE_FUZZ_CORPUS": "$(rootpaths %s)" % files},
        deps = [
            target,
            "//ipc_util/testing/fuzz:replay",
        ],
    )
    sluice_cc_binary(
        name = name[:-len("_test")] + "er",
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [target],
    )
