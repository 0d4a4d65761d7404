// Whether a process grows while things come and go in it.
//
//   const Sample early = Sample::Now();
//   ... 1000 of them come and go ...
//   EXPECT_EQ(Growth(early, Sample::Now(), 1000), "");

#ifndef SLUICE_IPC_UTIL_TESTING_GROWTH_H_
#define SLUICE_IPC_UTIL_TESTING_GROWTH_H_

#include <string>

#include "ipc_util/testing/world.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// What this process holds.
struct Sample {
  World world;
  long resident_pages = 0;

  static Sample Now();
};

// "": nothing grew from one to the other, while `cycles` came and went: less than a page in a thousand, and some noise.
// The memory of programs with sanitizers is not looked at: they keep what is freed.
std::string Growth(const Sample& early, const Sample& late, int cycles);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_GROWTH_H_
