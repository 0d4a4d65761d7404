#include "ipc_util/permissions.h"

#include "gtest/gtest.h"

namespace ipc {
inline namespace sluice_0 {
namespace {

// A6
TEST(PermissionsTest, ModesAreThoseThatTheHeaderNames) {
  EXPECT_EQ(RunFolderMode(Permissions::kUser), 0700u);
  EXPECT_EQ(RunFolderMode(Permissions::kGroup), 0750u);
  EXPECT_EQ(RunFolderMode(Permissions::kEveryone), 0755u);
  EXPECT_EQ(SocketMode(Permissions::kUser), 0600u);
  EXPECT_EQ(SocketMode(Permissions::kGroup), 0660u);
  EXPECT_EQ(SocketMode(Permissions::kEveryone), 0666u);
  EXPECT_EQ(PrivateFileMode(), 0600u);
}

TEST(PermissionsTest, HaveNames) {
  EXPECT_EQ(Name(Permissions::kUser), "user");
  EXPECT_EQ(Name(Permissions::kGroup), "group");
  EXPECT_EQ(Name(Permissions::kEveryone), "everyone");
}

// Whatever comes out of a configuration: nothing is opened wider than asked for.
TEST(PermissionsTest, AnUnknownValueIsTheNarrowest) {
  const auto unknown = static_cast<Permissions>(99);
  EXPECT_EQ(Name(unknown), "unknown");
  EXPECT_EQ(RunFolderMode(unknown), 0700u);
  EXPECT_EQ(SocketMode(unknown), 0600u);
}

}  // namespace
}  // namespace sluice_0
}  // namespace ipc
