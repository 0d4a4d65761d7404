// How host and greeter of guide.md meet, and a test that both are in.

#ifndef SLUICE_DOC_GUIDE_TESTING_H_
#define SLUICE_DOC_GUIDE_TESTING_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "ipc_shm_classic/session.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/temp_dir.h"

// Of guide.md.
absl::StatusOr<ipc::session::shm::classic::Server> Listen(const ipc::SessionOptions& options);
absl::Status Serve(ipc::session::shm::classic::Server& server,
                   absl::Status (*serve_client)(ipc::session::shm::classic::Session&));
absl::StatusOr<ipc::session::shm::classic::Session> Connect(const ipc::SessionOptions& options);

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// Two channels, and the test's time limit.
SessionOptions OptionsIn(const std::string& folder);

// A host in `folder` that serves each client with `serve_client`, until it is killed.
int HostIn(const std::string& folder, absl::Status (*serve_client)(session::shm::classic::Session&));

class GuideTest : public ::testing::Test {
 protected:
  // A host in a process of its own.
  void StartHost(absl::string_view role);
  // The same, and a session with it.
  void Meet(absl::string_view role);

  TempDir folder_;
  std::optional<Child> host_;
  std::optional<session::shm::classic::Session> session_;
};

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_DOC_GUIDE_TESTING_H_
