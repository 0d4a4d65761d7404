"""The cc_binary that is built into Bazel 4."""

cc_binary = native.cc_binary
