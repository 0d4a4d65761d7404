"""A C library under other symbol names, so that it neither takes over nor collides with another copy of itself."""

# The script's arguments: nm, ar, objcopy, prefix, input archive, output archive, calls to be renamed as well.
_RENAME = """
set -eu
nm=$1 ar=$2 objcopy=$3 prefix=$4 in=$5 out=$6
shift 6
cp "$in" "$out"
chmod +w "$out"
# The C++ part defines operator new and delete, which would be of no use under other names.
cpp=$("$ar" t "$out" | grep 'jemalloc_cpp' || true)
[ -z "$cpp" ] || "$ar" d "$out" $cpp
"$nm" -g --defined-only "$out" | sed -n "s/^[0-9a-fA-F]* [A-Za-z] \\\\(.*\\\\)$/\\\\1 $prefix\\\\1/p" | sort -u > "$out.names"
for name in "$@"; do echo "$name $prefix$name" >> "$out.names"; done
"$objcopy" --redefine-syms="$out.names" "$out"
rm "$out.names"
"""

def _cc_toolchain(ctx):
    return ctx.attr._cc_toolchain[cc_common.CcToolchainInfo]

def _rename(ctx, toolchain, archive):
    renamed = ctx.actions.declare_file("%s/%s" % (ctx.label.name, archive.basename))
    ctx.actions.run_shell(
        mnemonic = "RenameSymbols",
        progress_message = "Renaming the symbols of %s" % archive.short_path,
        command = _RENAME,
        arguments = [
            toolchain.nm_executable,
            toolchain.ar_executable,
            toolchain.objcopy_executable,
            ctx.attr.prefix,
            archive.path,
            renamed.path,
        ] + ctx.attr.redirected,
        inputs = depset([archive], transitive = [toolchain.all_files]),
        outputs = [renamed],
    )
    return renamed

def _renamed_cc_library_impl(ctx):
    toolchain = _cc_toolchain(ctx)
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    original = ctx.attr.library[0] if type(ctx.attr.library) == "list" else ctx.attr.library
    libraries = []
    flags = []
    for linker_input in original[CcInfo].linking_context.linker_inputs.to_list():
        flags += linker_input.user_link_flags
        for library in linker_input.libraries:
            archive = library.pic_static_library or library.static_library
            if not archive:
                fail("%s has no static archive" % original.label)
            libraries.append(cc_common.create_library_to_link(
                actions = ctx.actions,
                feature_configuration = features,
                cc_toolchain = toolchain,
                pic_static_library = _rename(ctx, toolchain, archive),
            ))
    linker_input = cc_common.create_linker_input(
        owner = ctx.label,
        libraries = depset(libraries),
        user_link_flags = depset(flags),
    )
    return [CcInfo(
        compilation_context = original[CcInfo].compilation_context,
        linking_context = cc_common.create_linking_context(linker_inputs = depset([linker_input])),
    )]

renamed_cc_library = rule(
    implementation = _renamed_cc_library_impl,
    doc = "The headers of a library, and its archives with `prefix` before every global symbol that they define.",
    attrs = {
        "library": attr.label(mandatory = True, providers = [CcInfo]),
        "prefix": attr.string(mandatory = True),
        # Functions of others that the library calls: it calls those of these names behind `prefix` instead.
        "redirected": attr.string_list(),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
