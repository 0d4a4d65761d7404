"""The suites that every kind of shared-memory session passes."""

load("//bazel:defs.bzl", "sluice_cc_test")

# By the test's name: the suite, and what else the test wants.
_SUITES = {
    # What the system hands out is one setting for all.
    "arena_pages_test": dict(suite = "//ipc_shm:arena_pages_conformance", no_sandbox = True, tags = ["exclusive"]),
    "churn_test": dict(
        suite = "//ipc_shm:churn_conformance",
        size = "medium",
        stress = {"CHURN_STEPS": "300000"},
    ),
    "loan_events_test": dict(suite = "//ipc_shm:loan_events_conformance"),
    "loan_model_test": dict(
        suite = "//ipc_shm:loan_model_conformance",
        stress = {
            "LOAN_MODEL_KILLS": "10000",
            "LOAN_MODEL_STEPS": "50000",
        },
    ),
    "loan_soak_test": dict(
        suite = "//ipc_shm:loan_soak_conformance",
        stress = {
            "LOAN_SOAK_OBJECTS": "10000",
            "LOAN_SOAK_SESSIONS": "1000",
        },
    ),
    "loan_test": dict(suite = "//ipc_shm:loan_conformance"),
    "own_arena_test": dict(suite = "//ipc_shm:own_arena_conformance"),
    "server_scope_test": dict(suite = "//ipc_shm:server_scope_conformance"),
}

def session_suites(deps = []):
    """A test of this package's `:session` for each suite; NAME_test.cc says which kind it is.

    Args:
      deps: of all of them, besides the session and the suite.
    """
    for name, attributes in _SUITES.items():
        attributes = dict(attributes)
        suite = attributes.pop("suite")
        sluice_cc_test(
            name = name,
            srcs = [name + ".cc"],
            main = False,
            deps = deps + [
                ":session",
                suite,
                "//ipc_util/testing:test_main",
            ],
            **attributes
        )
