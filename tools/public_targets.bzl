"""What users may depend on. Every header that is not here comes with one that is, or is Sluice's own."""

load("//bazel:libraries.bzl", "LIBRARIES")

# A comment says why a target is public whose header no other one could bring.
PUBLIC_TARGETS = {
    "bazel": ["require_cpp20"],
    "ipc_session": [
        "apps",
        "dispatch_thread",  # Starts a thread, which sessions never do by themselves.
        "reconnect",  # For those who want it; works with the sessions of every kind of memory.
        "server",
        "session",
    ],
    "ipc_shm": [
        "containers",
        "loan",
        "process_limit",  # A setting of the program, and no part of any session.
        "robust_mutex",  # A member of users' types that need no container.
    ],
    "ipc_shm_classic": [
        "arena",
        "session",
    ],
    "ipc_shm_jemalloc": [
        "arena",
        "session",
    ],
    "ipc_transport": [
        "boost_mq_pipe",
        "buffered_pipe",  # The base class of a user's own pipe.
        "channel",
        "mq_pipe",
        "pipe",
        "pipe_conformance",
        "ring_pipe",
        "socket_listener",  # The server's side of socket pipes, which clients need not build.
        "socket_pipe",
    ],
    "ipc_transport/structured": [
        "channel",
        "message",
        "store",
    ],
    "ipc_util": [
        "credentials",
        "deadline",
        "fd",
        "log",
        "permissions",
        "region",
        "status",
    ],
    "perf_demo": [
        "cache_client",
        "cache_server",
        "perf_demo",
    ],
    "tools/ipcctl": ["ipcctl"],
}

# sluice_version() makes it.
_VERSION = "version"

def public_labels():
    """The labels of all public targets, with each library's :version."""
    return sorted([
        "//%s:%s" % (package, name)
        for package, names in PUBLIC_TARGETS.items()
        for name in names
    ] + ["//%s:%s" % (library, _VERSION) for library in LIBRARIES])

def public_libraries():
    """The labels of those that a user's program can link with."""
    return sorted([
        "//%s:%s" % (package, name)
        for package, names in PUBLIC_TARGETS.items()
        for name in names
        if package.startswith("ipc_") and name != "pipe_conformance"
    ])
