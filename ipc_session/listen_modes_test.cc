// What a server's names let others do, from the first moment on. A6

#include <sys/stat.h>
#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>

#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/apps.h"
#include "ipc_session/server.h"
#include "ipc_session/testing/universe.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/permissions.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAreArray;

// In their order; a new one fails the test until it is here.
constexpr const char* kPoints[] = {"session.listen.folder", "session.listen.lock_opened", "session.listen.locked",
                                   "socket.bound", "session.listening"};

struct Modes {
  mode_t folder;
  mode_t socket;
};

// As documented, not as computed.
Modes ModesOf(Permissions permissions) {
  switch (permissions) {
    case Permissions::kUser:
      return {.folder = 0700, .socket = 0600};
    case Permissions::kGroup:
      return {.folder = 0750, .socket = 0660};
    case Permissions::kEveryone:
      return {.folder = 0755, .socket = 0666};
  }
  return {};
}

// Of `path`; 0 when there is nothing.
mode_t ModeOf(const std::string& path) {
  struct stat found;
  return lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

class ListenModesTest : public ::testing::TestWithParam<std::tuple<Permissions, mode_t>> {
 protected:
  ListenModesTest() : umask_before_(umask(std::get<1>(GetParam()))) {}
  ~ListenModesTest() override { umask(umask_before_); }

  const mode_t umask_before_;
  const Modes modes_ = ModesOf(std::get<0>(GetParam()));
  const TempDir temp_;
  const std::string folder_ = temp_.path() + "/run";
  const std::string lock_ = folder_ + "/cacheSrv.lock";
  const std::string socket_ = folder_ + "/cacheSrv.sock";
};

TEST_P(ListenModesTest, AreExactAndAtNoMomentWider) {
  ServerApp app = kTestServer;
  app.permissions = std::get<0>(GetParam());
  OsTesting os;
  for (const char* const point : kPoints) {
    os.AtPoint(point, [this, point] {
      EXPECT_EQ(ModeOf(folder_) & ~modes_.folder, 0u) << point;
      EXPECT_EQ(ModeOf(lock_) & ~0600u, 0u) << point;
      EXPECT_EQ(ModeOf(socket_) & ~modes_.socket, 0u) << point;
    });
  }
  const absl::StatusOr<Server> server = Server::Listen(app, ServerOptionsIn(folder_));
  ASSERT_OK(server);
  EXPECT_THAT(os.points(), ElementsAreArray(kPoints));
  EXPECT_EQ(ModeOf(folder_), modes_.folder);
  EXPECT_EQ(ModeOf(lock_), 0600u);
  EXPECT_EQ(ModeOf(socket_), modes_.socket);
}

// What an earlier server of this user left, with wider modes, is as narrow as it should be before it is used.
TEST_P(ListenModesTest, ALeftOverLockAndSocketAreNarrowed) {
  std::filesystem::create_directory(folder_);
  std::filesystem::permissions(folder_, std::filesystem::perms{0755});
  for (const std::string& path : {lock_, socket_}) {
    std::ofstream(path) << "left over";
    std::filesystem::permissions(path, std::filesystem::perms{0666});
  }
  ServerApp app = kTestServer;
  app.permissions = std::get<0>(GetParam());
  OsTesting os;
  os.AtPoint("session.listen.lock_opened", [this] { EXPECT_EQ(ModeOf(lock_), 0600u); });
  os.AtPoint("socket.bound", [this] { EXPECT_EQ(ModeOf(socket_) & ~modes_.socket, 0u); });
  const absl::StatusOr<Server> server = Server::Listen(app, ServerOptionsIn(folder_));
  ASSERT_OK(server);
  EXPECT_EQ(ModeOf(lock_), 0600u);
  EXPECT_EQ(ModeOf(socket_), modes_.socket);
}

INSTANTIATE_TEST_SUITE_P(PresetsAndUmasks, ListenModesTest,
                         ::testing::Combine(::testing::Values(Permissions::kUser, Permissions::kGroup,
                                                              Permissions::kEveryone),
                                            ::testing::Values(mode_t{0}, mode_t{022}, mode_t{077})));

}  // namespace
}  // namespace ipc::testing
