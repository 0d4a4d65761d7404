#include "ipc_session/internal/run_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/permissions.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"

namespace ipc::testing {
namespace {

using ipc::internal::CreateRunFolder;
using ipc::internal::OpenRunFolder;
using ipc::internal::RunFolderPath;
using ipc::internal::SocketPath;
using ::testing::HasSubstr;

constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

mode_t ModeOf(const std::string& path) {
  struct stat found;
  return lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

class RunFolderTest : public ::testing::Test {
 protected:
  ~RunFolderTest() override { umask(umask_); }

  TempDir temp_;
  const std::string path_ = absl::StrCat(temp_.path(), "/run");
  const mode_t umask_ = umask(022);
};

// A6
TEST_F(RunFolderTest, ModesAreExactUnderAnyUmask) {
  for (const mode_t mask : {0, 022, 077, 0777}) {
    for (const auto& [permissions, mode] : {std::pair(Permissions::kUser, 0700), std::pair(Permissions::kGroup, 0750),
                                            std::pair(Permissions::kEveryone, 0755)}) {
      umask(mask);
      EXPECT_OK(CreateRunFolder(path_, geteuid(), permissions));
      EXPECT_EQ(ModeOf(path_), static_cast<mode_t>(mode)) << "umask " << mask;
      std::filesystem::remove(path_);
    }
  }
}

TEST_F(RunFolderTest, AnExistingFolderIsOpenedFurtherButNeverNarrowed) {
  ASSERT_OK(CreateRunFolder(path_, geteuid(), Permissions::kGroup));
  ASSERT_OK(CreateRunFolder(path_, geteuid(), Permissions::kUser));
  EXPECT_EQ(ModeOf(path_), 0750u);
  ASSERT_OK(CreateRunFolder(path_, geteuid(), Permissions::kEveryone));
  EXPECT_EQ(ModeOf(path_), 0755u);
}

TEST_F(RunFolderTest, BothSidesFindTheSameFolder) {
  ASSERT_OK_AND_ASSIGN(const ipc::internal::RunFolder made, CreateRunFolder(path_, geteuid(), Permissions::kUser));
  ASSERT_OK_AND_ASSIGN(const ipc::internal::RunFolder found, OpenRunFolder(absl::StrCat(path_, "/."), geteuid()));
  EXPECT_EQ(made.path, path_);
  EXPECT_EQ(made.device, found.device);
  EXPECT_EQ(made.inode, found.inode);
}

TEST_F(RunFolderTest, AMissingFolderMeansNoServer) {
  const absl::Status status = OpenRunFolder(path_, geteuid()).status();
  EXPECT_EQ(ReasonOf(status), Reason::kNoServer);
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_THAT(CreateRunFolder(absl::StrCat(path_, "/a/b"), geteuid(), Permissions::kUser),
              StatusIs(absl::StatusCode::kUnavailable));
}

// S3
TEST_F(RunFolderTest, WhatIsNoFolderIsNotFollowed) {
  std::ofstream(absl::StrCat(temp_.path(), "/file")) << "kept";
  std::filesystem::create_symlink(temp_.path(), absl::StrCat(temp_.path(), "/link"));
  for (const char* name : {"/file", "/link"}) {
    const std::string path = absl::StrCat(temp_.path(), name);
    EXPECT_THAT(OpenRunFolder(path, geteuid()), StatusIs(kDenied, HasSubstr("remove what lies there")));
    EXPECT_THAT(CreateRunFolder(path, geteuid(), Permissions::kUser), StatusIs(kDenied));
  }
  EXPECT_EQ(std::filesystem::file_size(absl::StrCat(temp_.path(), "/file")), 4u);
}

// S3
TEST_F(RunFolderTest, AFolderThatOthersWriteIsRefusedUnlessSticky) {
  ASSERT_OK(CreateRunFolder(path_, geteuid(), Permissions::kUser));
  for (const mode_t mode : {0770, 0707, 0777}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    EXPECT_THAT(OpenRunFolder(path_, geteuid()), StatusIs(kDenied, HasSubstr("run chmod go-w")));
    EXPECT_THAT(CreateRunFolder(path_, geteuid(), Permissions::kUser), StatusIs(kDenied));
  }
  ASSERT_EQ(chmod(path_.c_str(), 01777), 0);
  EXPECT_OK(OpenRunFolder(path_, geteuid()));
  EXPECT_OK(CreateRunFolder(path_, geteuid(), Permissions::kUser));
  EXPECT_EQ(ModeOf(path_), 01777u);
}

TEST_F(RunFolderTest, AnotherUidsFolderIsRefused) {
  ASSERT_OK(CreateRunFolder(path_, geteuid(), Permissions::kUser));
  if (geteuid() == 0) {  // needs several uids
    ASSERT_EQ(chown(path_.c_str(), 4321, 0), 0);
    EXPECT_THAT(OpenRunFolder(path_, 0), StatusIs(kDenied, HasSubstr("belongs to uid 4321")));
    EXPECT_THAT(CreateRunFolder(path_, 0, Permissions::kUser), StatusIs(kDenied));
    EXPECT_OK(OpenRunFolder(path_, 4321));
  } else {
    EXPECT_THAT(OpenRunFolder(path_, geteuid() + 1), StatusIs(kDenied, HasSubstr("belongs to uid")));
  }
}

TEST_F(RunFolderTest, TheSystemsFolderCountsIfItBelongsToRootOrTheServer) {
  EXPECT_EQ(RunFolderPath("/chosen", 7, path_), "/chosen");
  EXPECT_EQ(RunFolderPath("", 7, path_), "/tmp/sluice-7");
  ASSERT_OK(CreateRunFolder(path_, geteuid(), Permissions::kUser));
  EXPECT_EQ(RunFolderPath("", geteuid(), path_), path_);
  if (geteuid() != 0) {
    EXPECT_EQ(RunFolderPath("", geteuid() + 1, path_), absl::StrCat("/tmp/sluice-", geteuid() + 1));
  } else {
    EXPECT_EQ(RunFolderPath("", 7, path_), path_);
    ASSERT_EQ(chown(path_.c_str(), 4321, 0), 0);
    EXPECT_EQ(RunFolderPath("", 7, path_), "/tmp/sluice-7");
  }
}

TEST_F(RunFolderTest, EachFailingCallIsAnErrorThatNamesTheFolder) {
  const auto create = [&](const OsInstruction& instruction) {
    const OsTesting os({instruction});
    const absl::Status status = CreateRunFolder(path_, geteuid(), Permissions::kUser).status();
    EXPECT_EQ(os.interventions(), 1);
    return status;
  };
  EXPECT_THAT(create(FailCall("Mkdir", ENOSPC)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(absl::StrCat("make run folder ", path_))));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_THAT(create(FailCall("Open", EMFILE)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(absl::StrCat("open run folder ", path_))));
  EXPECT_THAT(create(FailCall("Fstat", ENOMEM)),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr(absl::StrCat("open run folder ", path_))));
  ASSERT_EQ(chmod(path_.c_str(), 0500), 0);
  EXPECT_THAT(create(FailCall("Chmod", EPERM)),
              StatusIs(kDenied, HasSubstr(absl::StrCat("set the mode of run folder ", path_))));
  EXPECT_EQ(ModeOf(path_), 0500u);
  EXPECT_OK(CreateRunFolder(path_, geteuid(), Permissions::kUser));
}

TEST_F(RunFolderTest, ASocketsPathHas107Bytes) {
  const std::string folder(107 - 7, 'x');  // And "/a.sock".
  EXPECT_THAT(SocketPath(folder, "a"), IsOkAndHolds(folder + "/a.sock"));
  EXPECT_THAT(SocketPath(folder, "ab"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("choose a shorter run_folder")));
}

}  // namespace
}  // namespace ipc::testing
