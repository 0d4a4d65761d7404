"""How many lines the compiler reads for each header of some libraries, and whose they are."""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "ACTION_NAMES")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

# Of preprocessed source: lines that are not blank, by whose header they come from. Line markers are not counted.
_COUNT = """
/^# [0-9]+ "/ {
  file = $3
  if (match(file, /["\\/](absl|boost|capnp|jemalloc|kj)\\//)) {
    owner = substr(file, RSTART + 1, RLENGTH - 2)
  } else if (file ~ /^"\\// || file ~ /^"</) {
    owner = "system"
  } else if (file ~ /^"external\\//) {
    owner = "other"
  } else {
    owner = "sluice"
  }
  next
}
NF > 0 && !/^#/ { lines[owner]++; total++ }
END {
  printf "%s %d", header, total
  split("system absl sluice boost capnp jemalloc kj other", owners, " ")
  for (i = 1; i in owners; i++) if (lines[owners[i]]) printf " %s=%d", owners[i], lines[owners[i]]
  print ""
}
"""

def _size_of(ctx, toolchain, context, header, index):
    """The action that counts what a file with nothing but this #include comes to."""
    source = ctx.actions.declare_file("%s_%d.cc" % (ctx.label.name, index))
    ctx.actions.write(source, "#include \"%s\"\n" % header)
    size = ctx.actions.declare_file("%s_%d.txt" % (ctx.label.name, index))
    features = cc_common.configure_features(
        ctx = ctx,
        cc_toolchain = toolchain,
        requested_features = ctx.features,
        unsupported_features = ctx.disabled_features,
    )
    variables = cc_common.create_compile_variables(
        feature_configuration = features,
        cc_toolchain = toolchain,
        source_file = source.path,
        output_file = size.path + ".ii",
        user_compile_flags = ctx.fragments.cpp.copts + ctx.fragments.cpp.cxxopts,
        include_directories = context.includes,
        quote_include_directories = context.quote_includes,
        system_include_directories = context.system_includes,
        preprocessor_defines = context.defines,
    )
    compile = [cc_common.get_tool_for_action(
        feature_configuration = features,
        action_name = ACTION_NAMES.cpp_compile,
    )] + cc_common.get_memory_inefficient_command_line(
        feature_configuration = features,
        action_name = ACTION_NAMES.cpp_compile,
        variables = variables,
    )
    ctx.actions.run_shell(
        mnemonic = "HeaderSize",
        progress_message = "Counting the lines of %s" % header,
        inputs = depset([source], transitive = [context.headers, toolchain.all_files]),
        outputs = [size],
        # -E wins over -c.
        command = """
            size=$1 header=$2 count=$3
            shift 3
            "$@" -E && awk -v header="$header" "$count" "$size.ii" >"$size" && rm "$size.ii"
        """,
        arguments = [size.path, header, _COUNT] + compile,
        env = cc_common.get_environment_variables(
            feature_configuration = features,
            action_name = ACTION_NAMES.cpp_compile,
            variables = variables,
        ),
        use_default_shell_env = False,
    )
    return size

def _header_sizes_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    sizes = [
        _size_of(ctx, toolchain, target[CcInfo].compilation_context, header, index)
        for index, (target, header) in enumerate(ctx.attr.outside.items())
    ]
    for target in ctx.attr.targets:
        context = target[CcInfo].compilation_context
        for header in context.direct_public_headers:
            sizes.append(_size_of(ctx, toolchain, context, header.short_path, len(sizes)))
    table = ctx.actions.declare_file(ctx.label.name + ".txt")
    ctx.actions.run_shell(
        inputs = sizes,
        outputs = [table],
        command = "cat \"$@\" >" + table.path,
        arguments = [size.path for size in sizes],
    )
    return [DefaultInfo(files = depset([table]), runfiles = ctx.runfiles([table]))]

header_sizes = rule(
    doc = """A table in NAME.txt, a public header of `targets` a line: its path, how many lines a file with nothing but
its #include has when it is preprocessed, and of whom, such as "ipc_util/fd.h 30000 system=24000 absl=5800 sluice=200".
""",
    implementation = _header_sizes_impl,
    attrs = {
        "outside": attr.label_keyed_string_dict(
            doc = "Other libraries, each with the header that is counted.",
            providers = [CcInfo],
        ),
        "targets": attr.label_list(
            doc = "Libraries.",
            mandatory = True,
            providers = [CcInfo],
        ),
        "_cc_toolchain": attr.label(default = "@bazel_tools//tools/cpp:current_cc_toolchain"),
    },
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
