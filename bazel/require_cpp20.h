// Stops a build below C++20 with one line that says what to do.

#ifndef SLUICE_BAZEL_REQUIRE_CPP20_H_
#define SLUICE_BAZEL_REQUIRE_CPP20_H_

#if __cplusplus < 202002L
#error "Sluice needs C++20: put `build --cxxopt=-std=c++20 --host_cxxopt=-std=c++20` into your .bazelrc"
#endif

#endif  // SLUICE_BAZEL_REQUIRE_CPP20_H_
