"""The cc_library that is built into Bazel 4."""

cc_library = native.cc_library
