"""All libraries with their versions, and the rule by which one library's needs are met by another's version."""

load("//ipc_session:version.bzl", _SESSION_NEEDS = "NEEDS", _SESSION_VERSION = "VERSION")
load("//ipc_shm:version.bzl", _SHM_NEEDS = "NEEDS", _SHM_VERSION = "VERSION")
load("//ipc_shm_classic:version.bzl", _SHM_CLASSIC_NEEDS = "NEEDS", _SHM_CLASSIC_VERSION = "VERSION")
load("//ipc_shm_jemalloc:version.bzl", _SHM_JEMALLOC_NEEDS = "NEEDS", _SHM_JEMALLOC_VERSION = "VERSION")
load("//ipc_transport:version.bzl", _TRANSPORT_NEEDS = "NEEDS", _TRANSPORT_VERSION = "VERSION")
load("//ipc_util:version.bzl", _UTIL_NEEDS = "NEEDS", _UTIL_VERSION = "VERSION")

LIBRARIES = {
    "ipc_session": struct(version = _SESSION_VERSION, needs = _SESSION_NEEDS),
    "ipc_shm": struct(version = _SHM_VERSION, needs = _SHM_NEEDS),
    "ipc_shm_classic": struct(version = _SHM_CLASSIC_VERSION, needs = _SHM_CLASSIC_NEEDS),
    "ipc_shm_jemalloc": struct(version = _SHM_JEMALLOC_VERSION, needs = _SHM_JEMALLOC_NEEDS),
    "ipc_transport": struct(version = _TRANSPORT_VERSION, needs = _TRANSPORT_NEEDS),
    "ipc_util": struct(version = _UTIL_VERSION, needs = _UTIL_NEEDS),
}

def _parts(version):
    parts = [int(part) for part in version.split(".")]
    return parts + [0] * (3 - len(parts))

def is_met(need, version):
    """Whether `version` is at least `need` and not a breaking release away: 0.1 is met by 0.1.7, not by 0.2 or 1.0."""
    needed = _parts(need)
    have = _parts(version)
    breaking = 1 if needed[0] else 2
    return have[:breaking] == needed[:breaking] and have >= needed

def unmet_needs(name, libraries):
    """One sentence for each need of library `name` that `libraries` do not meet; an empty list if all is well."""
    sentences = []
    for needed, need in sorted(libraries[name].needs.items()):
        if needed not in libraries:
            have = "which is no library"
        elif not is_met(need, libraries[needed].version):
            have = "but it is %s here" % libraries[needed].version
        else:
            continue
        sentences.append("%s %s needs %s %s, %s: update %s, or NEEDS in %s/version.bzl." %
                         (name, libraries[name].version, needed, need, have, needed, name))
    return sentences
