"""What each library reaches, and the test that it is no more and no less."""

load("//bazel:defs.bzl", "sluice_cc_test")
load("//bazel:libraries.bzl", "LIBRARIES")
load("//bazel:versions.bzl", "DEPENDENCIES")
load(":public_targets.bzl", "PUBLIC_TARGETS")

# By package, or by target where one target needs more than the others of its package: the outside libraries, by the
# names of their modules, and our own packages that its public targets reach, by whatever way. Packages count with their
# internal/ and testing/. What is missing here is not reached: an edge that appears is a change of this table.
LAYERS = {
    "//ipc_session": [
        "abseil-cpp",
        "//ipc_transport",
        "//ipc_util",
    ],
    # What sessions with an arena stand on is not public, and reached by the two that follow.
    "//ipc_shm": [
        "abseil-cpp",
        "//ipc_transport",
        "//ipc_util",
    ],
    # Of typed channels they know the interface of stores, and need no Cap'n Proto.
    "//ipc_shm_classic": [
        "abseil-cpp",
        "boost.interprocess",
        "//ipc_session",
        "//ipc_shm",
        "//ipc_transport",
        "//ipc_transport/structured",
        "//ipc_util",
    ],
    "//ipc_shm_jemalloc": [
        "abseil-cpp",
        "jemalloc",
        "//ipc_session",
        "//ipc_shm",
        "//ipc_transport",
        "//ipc_transport/structured",
        "//ipc_util",
        "//third_party/jemalloc",
    ],
    "//ipc_transport": [
        "abseil-cpp",
        "//ipc_util",
    ],
    "//ipc_transport/structured": [
        "abseil-cpp",
        "capnp-cpp",
        "//ipc_transport",
        "//ipc_util",
    ],
    "//ipc_transport:boost_mq_pipe": [
        "abseil-cpp",
        "boost.interprocess",
        "//ipc_util",
    ],
    "//ipc_transport:pipe_conformance": [
        "abseil-cpp",
        "googletest",
        "//ipc_util",
    ],
    "//ipc_util": ["abseil-cpp"],
}

def _targets(layer):
    """The public targets of a layer: itself, or those of its package that are no layer of their own."""
    if ":" in layer:
        return [layer]
    labels = ["%s:%s" % (layer, name) for name in PUBLIC_TARGETS[layer[2:]]]
    return [label for label in labels if label not in LAYERS]

def _query(name, own, targets):
    """The targets of expression `own`, in which %s stands for `targets`, and what they name as their dependencies."""
    native.genquery(
        name = name,
        testonly = True,
        expression = "deps(%s, 1)" % (own % ("set(%s)" % " ".join(targets))),
        # Compilers and code generators are no dependencies of the program.
        opts = [
            "--nohost_deps",
            "--noimplicit_deps",
        ],
        scope = targets,
    )

def layers_test(name):
    """Compares what is reached with LAYERS, and what each library names with NEEDS of its version.bzl.

    The log has what was found, a layer a line.

    Args:
      name: of the test.
    """
    lines = ["repository %s %s" % (row.repository, module) for module, row in DEPENDENCIES.items()]
    data = []
    layers = sorted(LAYERS)
    for index, layer in enumerate(layers):
        lines.append(" ".join(["layer", layer] + LAYERS[layer]))
        data.append("%s_reached_%d" % (name, index))

        # Outside libraries count where our own targets name them: what these reach in turn differs by their origin.
        _query(data[-1], "filter('^//', deps(%s))", _targets(layer))
    everything = [target for layer in layers for target in _targets(layer)]
    for library, row in LIBRARIES.items():
        lines.append(" ".join(["library", library] + sorted(row.needs)))
        data.append("%s_named_%s" % (name, library))
        _query(data[-1], "filter('^//" + library + "[/:]', deps(%s))", everything)
    native.genrule(
        name = name + "_table",
        testonly = True,
        outs = [name + "_table.txt"],
        cmd = "cat > $@ <<'END'\n%s\nEND" % "\n".join(lines),
    )
    sluice_cc_test(
        name = name,
        srcs = ["layers_test.cc"],
        data = data + [name + "_table.txt"],
        env = {
            "ANSWERS": " ".join(["$(rootpath %s)" % answer for answer in data]),
            "TABLE": "$(rootpath %s_table.txt)" % name,
        },
        deps = [":working_tree"],
    )
