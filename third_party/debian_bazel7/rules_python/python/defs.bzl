"""The Python rules that are built into Bazel 7, which some BUILD files of its tools load."""

py_binary = native.py_binary
py_library = native.py_library
py_test = native.py_test
