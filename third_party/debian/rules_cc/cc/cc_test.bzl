"""The cc_test that is built into Bazel 4."""

cc_test = native.cc_test
