"""The archives that a WORKSPACE gets."""

_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_HEX = "0123456789abcdef"

def sha256_of(integrity):
    """The hexadecimal form of a digest; http_archive of Bazel 4 takes no other.

    Args:
      integrity: `sha256-<base64>`, as the registry has it.

    Returns:
      64 digits.
    """
    if not integrity.startswith("sha256-"):
        fail("%s is no sha256 value" % integrity)
    digits = ""
    bits = 0
    value = 0
    for character in integrity[len("sha256-"):].rstrip("=").elems():
        value = value * 64 + _BASE64.index(character)
        bits += 6

        # With one character two digits become complete at most.
        for _ in range(2):
            if bits >= 4:
                bits -= 4
                digits += _HEX[value >> bits]
                value = value & ((1 << bits) - 1)
    return digits

def missing_archives(dependencies, existing, dev):
    """The attributes of an http_archive for each row of `dependencies` that has an archive, and that is missing.

    Args:
      dependencies: the table of versions.bzl.
      existing: the names of repositories that are there already.
      dev: whether rows for Sluice's own tests are wanted as well.

    Returns:
      a list of dicts.
    """
    missing = []
    for dependency in dependencies.values():
        archive = dependency.archive
        if not archive or dependency.dev and not dev or dependency.repository in existing:
            continue
        attributes = dict(
            name = dependency.repository,
            url = archive.url,
            sha256 = sha256_of(archive.integrity),
            strip_prefix = archive.strip_prefix,
        )
        if archive.build_file_content:
            attributes["build_file_content"] = archive.build_file_content
        missing.append(attributes)
    return missing
