"""The cc_import that is built into Bazel 4."""

cc_import = native.cc_import
