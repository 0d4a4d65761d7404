"""A test that targets keep to their layer: nothing above it and no library that it must not know is reached."""

load("//bazel:defs.bzl", "sluice_cc_test")

def layer_test(name, targets, forbidden, expect_reached = False):
    """Asks Bazel for all dependencies of `targets` and fails if one is forbidden.

    Args:
      name: of the test.
      targets: the public targets of a library.
      forbidden: repositories ("jemalloc") and packages with what is below them ("//ipc_session").
      expect_reached: True to expect the contrary, which shows that the question can be answered with yes.
    """
    patterns = [
        # A repository's name may carry a suffix of Bazel's module system.
        "^%s[/:]" % what if what.startswith("//") else "^@@?%s[~+/]" % what.replace(".", "\\.")
        for what in forbidden
    ]
    native.genquery(
        name = name + "_reached",
        testonly = True,
        expression = "filter('%s', deps(set(%s)))" % ("|".join(patterns), " ".join(targets)),
        # Compilers and code generators are no dependencies of the program.
        opts = [
            "--nohost_deps",
            "--noimplicit_deps",
        ],
        scope = targets,
    )
    sluice_cc_test(
        name = name,
        srcs = ["layer_test.cc"],
        data = [name + "_reached"],
        env = {
            "EXPECT_REACHED": "1" if expect_reached else "0",
            "REACHED": "$(rootpath %s_reached)" % name,
        },
    )
