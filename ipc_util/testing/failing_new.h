// The N-th `new` of a thread fails. Linking it replaces the program's operator new.

#ifndef SLUICE_IPC_UTIL_TESTING_FAILING_NEW_H_
#define SLUICE_IPC_UTIL_TESTING_FAILING_NEW_H_

#include <cstdint>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// As long as it lives, the `nth` call of operator new of its thread throws std::bad_alloc; those after it work again.
// One per thread at a time.
class FailingNew {
 public:
  explicit FailingNew(uint64_t nth);
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
  ~FailingNew();

  bool has_failed() const;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_UTIL_TESTING_FAILING_NEW_H_
