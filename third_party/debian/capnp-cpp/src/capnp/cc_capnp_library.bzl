"""cc_capnp_library over Debian's schema compiler, with the attributes of Cap'n Proto's own rule."""

load("@rules_cc//cc:cc_library.bzl", "cc_library")

CapnpInfo = provider(
    "What schemas that import this one need.",
    fields = {
        "files": "depset of the schemas and their data, transitive",
        "import_paths": "depset of the folders that absolute imports are looked up in, transitive",
    },
)

def _source_root(ctx):
    """The folder that the schemas' paths, and so the generated files' paths, are relative to."""
    root = ctx.files.srcs[0].root.path if ctx.files.srcs else ""
    parts = [root, ctx.label.workspace_root if ctx.attr.src_prefix else "", ctx.attr.src_prefix]
    return "/".join([part for part in parts if part])

def _capnp_sources_impl(ctx):
    source_root = _source_root(ctx)
    out_dir = ctx.bin_dir.path
    if ctx.attr.src_prefix:
        out_dir = "/".join([p for p in [out_dir, ctx.label.workspace_root, ctx.attr.src_prefix] if p])

    infos = [dep[CapnpInfo] for dep in ctx.attr.deps]
    files = depset(ctx.files.srcs + ctx.files.data, transitive = [info.files for info in infos])
    import_paths = depset(
        [source_root] if ctx.attr.src_prefix else [],
        transitive = [info.import_paths for info in infos],
    )

    args = ctx.actions.args()
    args.add("compile")
    args.add("-o/usr/bin/capnpc-c++:" + out_dir)
    args.add_all(import_paths, format_each = "-I%s")
    if source_root:
        args.add("--src-prefix=" + source_root)
    args.add_all(ctx.files.srcs)
    ctx.actions.run(
        mnemonic = "CapnpCompile",
        progress_message = "Compiling schema %s" % ctx.label,
        executable = "/usr/bin/capnp",
        arguments = [args],
        inputs = files,
        outputs = ctx.outputs.outs,
    )
    return [CapnpInfo(files = files, import_paths = import_paths)]

_capnp_sources = rule(
    implementation = _capnp_sources_impl,
    attrs = {
        "srcs": attr.label_list(allow_files = [".capnp"]),
        "data": attr.label_list(allow_files = True),
        "deps": attr.label_list(providers = [CapnpInfo]),
        "outs": attr.output_list(),
        "src_prefix": attr.string(),
    },
)

def cc_capnp_library(
        name,
        srcs = [],
        data = [],
        deps = [],
        src_prefix = "",
        visibility = None,
        target_compatible_with = None,
        **kwargs):
    """A C++ library generated from Cap'n Proto schemas.

    Args:
      name: of the library; `name_gen` generates its sources.
      srcs: the schemas; x.capnp is included as "package/x.capnp.h".
      data: other files that the schemas embed.
      deps: other cc_capnp_library targets, whose schemas these import.
      src_prefix: the folder that generated files' paths and absolute imports start from.
      visibility: of both targets.
      target_compatible_with: of both targets.
      **kwargs: go to the cc_library.
    """
    headers = [src + ".h" for src in srcs]
    sources = [src + ".c++" for src in srcs]
    common = {"visibility": visibility, "target_compatible_with": target_compatible_with or []}
    if kwargs.get("testonly"):
        common["testonly"] = True
    _capnp_sources(
        name = name + "_gen",
        srcs = srcs,
        data = data,
        deps = [dep + "_gen" for dep in deps],
        outs = headers + sources,
        src_prefix = src_prefix,
        **common
    )
    cc_library(
        name = name,
        srcs = sources,
        hdrs = headers,
        deps = deps + ["@capnp-cpp//src/capnp:capnp_runtime"],
        visibility = visibility,
        target_compatible_with = target_compatible_with or [],
        **kwargs
    )
