#include "ipc_util/testing/growth.h"

#include <fstream>
#include <sstream>

#include "absl/base/config.h"
#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

Sample Sample::Now() {
  Sample sample{.world = World::Now()};
  long all = 0;
  std::ifstream("/proc/self/statm") >> all >> sample.resident_pages;
  return sample;
}

std::string Growth(const Sample& early, const Sample& late, int cycles) {
  if (late.world != early.world) {
    std::ostringstream text;
    text << "was " << early.world << "\nis " << late.world;
    return text.str().substr(0, 4000);
  }
#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && !defined(ABSL_HAVE_THREAD_SANITIZER)
  constexpr long kNoise = 32;
  const long most = early.resident_pages + kNoise + cycles / 1000;
  if (late.resident_pages > most) {
    return absl::StrCat(late.resident_pages, " resident pages, after ", early.resident_pages);
  }
#else
  static_cast<void>(cycles);
#endif
  return "";
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
