"""The version of ipc_transport, and the oldest versions of its siblings that it works with."""

VERSION = "0.1.0"

NEEDS = {"ipc_util": "0.1"}
