"""Makes the repository with buildozer that `bazel mod tidy` would use, without buildozer."""

def _empty_impl(ctx):
    ctx.file("BUILD.bazel")

_empty = repository_rule(implementation = _empty_impl)

def _buildozer_binary_impl(_ctx):
    _empty(name = "buildozer_binary")

buildozer_binary = module_extension(implementation = _buildozer_binary_impl)
