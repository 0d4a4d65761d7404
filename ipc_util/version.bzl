"""The version of ipc_util, and the oldest versions of its siblings that it works with."""

VERSION = "0.1.0"

NEEDS = {}
