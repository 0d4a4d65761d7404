#include "ipc_util/testing/world.h"

#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

namespace fs = std::filesystem;

std::set<std::string> OpenDescriptors() {
  std::set<std::string> result;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc/self/fd", error)) {
    const fs::path target = fs::read_symlink(entry.path(), error);
    // The listing's own descriptor is gone by the next line of the caller.
    if (error || target.string().find("/proc/") == 0) continue;
    result.insert(entry.path().filename().string() + " -> " + target.string());
  }
  return result;
}

std::map<std::string, int> MemfdMappings() {
  std::map<std::string, int> result;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t name = line.find("/memfd:");
    if (name != std::string::npos) ++result[line.substr(name)];
  }
  return result;
}

// Names that Sluice makes hold the namespaces of their maker, the pids' in the low half; 0: unknown. Where each test
// has namespaces of its own, as in Bazel's sandbox, those of others are none of its business.
bool IsOfOtherNamespace(const std::string& name) {
  uint64_t namespaces = 0;
  if (std::sscanf(name.c_str(), "sluice-mq.%*8[0-9a-f].%" SCNu64 ".", &namespaces) != 1) return false;
  struct stat own;
  return namespaces != 0 && stat("/proc/self/ns/pid", &own) == 0 && (namespaces & UINT32_MAX) != own.st_ino;
}

std::set<std::string> Names() {
  std::set<std::string> result;
  for (const char* const folder : {"/dev/shm", "/dev/mqueue"}) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
      if (!IsOfOtherNamespace(entry.path().filename().string())) result.insert(entry.path().string());
    }
  }
  return result;
}

std::set<std::string> Children() {
  std::set<std::string> result;
  std::error_code error;
  for (const fs::directory_entry& task : fs::directory_iterator("/proc/self/task", error)) {
    std::ifstream children(task.path() / "children");
    for (std::string pid; children >> pid;) result.insert(pid);
  }
  return result;
}

int Threads() {
  std::error_code error;
  int count = 0;
  for ([[maybe_unused]] const fs::directory_entry& task : fs::directory_iterator("/proc/self/task", error)) ++count;
  return count;
}

}  // namespace

World World::Now() {
  return {.descriptors = OpenDescriptors(),
          .mappings = MemfdMappings(),
          .threads = Threads(),
          .names = Names(),
          .children = Children()};
}

World World::Awaited(const World& expected) {
  const absl::Time limit = absl::Now() + TimeLimit();
  while (true) {
    World now = Now();
    if (now == expected || absl::Now() > limit) return now;
    sched_yield();
  }
}

std::ostream& operator<<(std::ostream& out, const World& world) {
  out << world.threads << " threads;";
  for (const std::string& descriptor : world.descriptors) out << "\n  descriptor " << descriptor;
  for (const auto& [name, count] : world.mappings) out << "\n  mapped " << count << " x " << name;
  for (const std::string& name : world.names) out << "\n  name " << name;
  for (const std::string& child : world.children) out << "\n  child " << child;
  return out;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
