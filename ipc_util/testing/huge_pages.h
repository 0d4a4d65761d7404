// Huge pages for a test: the system gives none unless it is told to.

#ifndef SLUICE_IPC_UTIL_TESTING_HUGE_PAGES_H_
#define SLUICE_IPC_UTIL_TESTING_HUGE_PAGES_H_

#include <string>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Decides how many huge pages of 2 MiB the whole system may hand out, and restores what it was. Tests that do so are
// tagged `exclusive`.
class HugePages {
 public:
  explicit HugePages(int pages);
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;
  ~HugePages();

  // False: only root may decide, of a kernel that has such pages and has none set aside.
  bool ok() const { return ok_; }

 private:
  const std::string before_;
  bool ok_ = false;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_HUGE_PAGES_H_
