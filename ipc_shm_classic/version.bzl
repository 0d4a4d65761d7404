"""The version of ipc_shm_classic, and the oldest versions of its siblings that it works with."""

VERSION = "0.1.0"

NEEDS = {
    "ipc_session": "0.1",
    "ipc_shm": "0.1",
    "ipc_util": "0.1",
}
