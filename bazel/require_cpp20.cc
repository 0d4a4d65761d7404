#include "bazel/require_cpp20.h"
