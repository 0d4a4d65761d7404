#include "ipc_transport/testing/mq_world.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

bool is_in_mq_world = false;

class MqWorld : public ::testing::Environment {
 public:
  void SetUp() override { is_in_mq_world = EnterMqWorld(); }
};

}  // namespace

bool EnterMqWorld() {
  if (unshare(CLONE_NEWIPC | CLONE_NEWNS) != 0) return false;
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         mount("tmpfs", "/dev", "tmpfs", 0, "mode=0755") == 0 && mkdir("/dev/mqueue", 0755) == 0 &&
         mount("mqueue", "/dev/mqueue", "mqueue", 0, nullptr) == 0 && mkdir("/dev/shm", 0755) == 0 &&
         mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777") == 0;
}

bool MqWorldForAllTests() {
  ::testing::AddGlobalTestEnvironment(new MqWorld);
  return true;
}

bool IsInMqWorld() { return is_in_mq_world; }

void SetMqLimit(absl::string_view limit, int value) {
  std::ofstream file(absl::StrCat("/proc/sys/fs/mqueue/", limit));
  file << value << std::flush;
  if (!file) std::abort();
}

std::vector<std::string> MqNames() {
  std::vector<std::string> names;
  std::error_code error;
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator("/dev/mqueue", error)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
