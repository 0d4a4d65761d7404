// Looks through the pages that this process shares with others for addresses of its private memory.

#ifndef SLUICE_IPC_SHM_TESTING_SHARED_PAGES_H_
#define SLUICE_IPC_SHM_TESTING_SHARED_PAGES_H_

#include <cstddef>
#include <string>

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct SharedPages {
  size_t words = 0;  // That were looked at: of 8 bytes, not 0.
  // Each word whose value lies in a mapping that is not shared, with both places; "": there is none.
  std::string private_addresses = {};

  size_t old_words = 0;  // Of bytes that are `kOldByte`, or its complement, alone.

  // With mallopt(M_PERTURB, kOldByte), what the heap gives out and takes back is of these.
  static constexpr int kOldByte = 0xa5;

  // All pages of memfds of this library that are in memory, whoever wrote them.
  static SharedPages Now();
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_SHARED_PAGES_H_
