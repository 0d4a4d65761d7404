"""The one table of dependency versions; MODULE.bazel repeats them, and a test compares the two."""

VERSIONS = {
    "abseil-cpp": "20260526.0",
    "bazel_skylib": "1.8.2",
    "boost.interprocess": "1.90.0.bcr.1",
    "capnp-cpp": "1.4.0",
    "google_benchmark": "1.9.5",
    "googletest": "1.17.0.bcr.2",
    "jemalloc": "5.3.0-bcr.alpha.5",
    "platforms": "1.0.0",
    "rules_cc": "0.2.17",
    "xxhash": "0.8.3.bcr.1",
}
