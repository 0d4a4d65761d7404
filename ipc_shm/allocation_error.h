// What containers in shared memory throw where those on the heap throw std::bad_alloc.

#ifndef SLUICE_IPC_SHM_ALLOCATION_ERROR_H_
#define SLUICE_IPC_SHM_ALLOCATION_ERROR_H_

#include <memory>
#include <new>
#include <string>
#include <utility>

namespace ipc {
inline namespace sluice_0 {
namespace shm {

// The container knows no arena of this process: it was made without an ArenaScope, its arena is closed, or it is
// another process's and only to be read here. Nothing was allocated, and the container is as before.
class NoArena : public std::bad_alloc {
 public:
  explicit NoArena(const char* what) : what_(what) {}  // A literal.
  const char* what() const noexcept override { return what_; }

 private:
  const char* what_;
};

// The arena has no room; `what()` has its figures and the option to raise. The container is as before.
class ArenaFull : public std::bad_alloc {
 public:
  explicit ArenaFull(std::string what) : what_(std::make_shared<const std::string>(std::move(what))) {}
  const char* what() const noexcept override { return what_->c_str(); }

 private:
  std::shared_ptr<const std::string> what_;  // Copying an exception must not throw.
};

}  // namespace shm
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_ALLOCATION_ERROR_H_
