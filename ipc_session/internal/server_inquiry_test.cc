// How a server answers an inquiry: the part of ServerLogin that is no login.

#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_session/internal/frame_header.h"
#include "ipc_session/internal/frame_socket.h"
#include "ipc_session/internal/inquiry.h"
#include "ipc_session/internal/server_login.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/internal/session_registry.h"
#include "ipc_session/internal/session_report.h"
#include "ipc_session/testing/core_pair.h"
#include "ipc_session/testing/scripted_login.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ipc::internal::EncodeInquiry;
using ipc::internal::FrameType;
using ipc::internal::kMaxListedChannels;
using ipc::internal::ReceivedFrame;
using ipc::internal::ReportReader;
using ipc::internal::ServerLogin;
using ipc::internal::ServerReport;
using ipc::internal::ServerTerms;
using ipc::internal::TryReceiveFrame;

constexpr auto kCancelled = absl::StatusCode::kCancelled;

class ServerInquiryTest : public ::testing::Test {
 protected:
  void Start(Deadline deadline = Deadline::Never()) {
    int sockets[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    asker_ = Fd(sockets[0]);
    ASSERT_OK_AND_ASSIGN(login_, ServerLogin::Start(Fd(sockets[1]), terms_, deadline));
  }

  // Reads what is there of the report; whether it is complete.
  bool Read() {
    while (true) {
      absl::StatusOr<std::optional<ReceivedFrame>> frame = TryReceiveFrame(asker_);
      if (!frame.ok() || !frame->has_value()) return false;
      const absl::StatusOr<bool> complete = reader_.Add((*frame)->packet);
      EXPECT_OK(complete);
      if (!complete.ok() || *complete) return complete.ok();
    }
  }

  // More than a socket holds.
  void AddManyChannels() {
    for (int i = 0; i < 40; ++i) terms_.sessions->Add(pair_.first);
  }

  const CorePair pair_ = MakeCorePair(60);
  ServerTerms terms_ = {.app = "cacheSrv", .clients = {}, .session = {}, .memory = nullptr};
  Fd asker_;
  std::unique_ptr<ServerLogin> login_;
  ReportReader reader_;
};

TEST_F(ServerInquiryTest, IsAnsweredAtOnce) {
  terms_.sessions->Add(pair_.first);
  Start();
  ASSERT_TRUE(SendPacketOf(asker_, EncodeInquiry()));
  EXPECT_THAT(login_->Step(), StatusIs(kCancelled));
  EXPECT_TRUE(login_->is_inquiry());
  ASSERT_TRUE(Read());
  ASSERT_OK_AND_ASSIGN(const ServerReport report, reader_.Decode());
  EXPECT_EQ(report.app, "cacheSrv");
  EXPECT_EQ(report.sessions, 1);
}

TEST_F(ServerInquiryTest, ALongReportGoesOnWhenThereIsRoom) {
  AddManyChannels();
  Start();
  ASSERT_TRUE(SendPacketOf(asker_, EncodeInquiry()));
  EXPECT_THAT(login_->Step(), IsOkAndHolds(nullptr));
  EXPECT_FALSE(login_->next_step().never());
  bool complete = false;
  absl::Status last;
  for (int i = 0; i < 100 && !complete; ++i) {
    complete = Read();
    if (last.ok()) last = login_->Step().status();
  }
  EXPECT_THAT(last, StatusIs(kCancelled));
  ASSERT_TRUE(complete);
  ASSERT_OK_AND_ASSIGN(const ServerReport report, reader_.Decode());
  size_t channels = 0;
  for (const auto& session : report.listed) channels += session.listed.size();
  EXPECT_EQ(channels, kMaxListedChannels);
}

TEST_F(ServerInquiryTest, AnAskerThatDoesNotReadIsLetGo) {
  AddManyChannels();
  Start(Deadline::Passed());
  ASSERT_TRUE(SendPacketOf(asker_, EncodeInquiry()));
  EXPECT_THAT(login_->Step(), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(login_->is_inquiry());
}

TEST_F(ServerInquiryTest, AnAskerThatHasGoneIsLetGo) {
  AddManyChannels();
  Start();
  ASSERT_TRUE(SendPacketOf(asker_, EncodeInquiry()));
  asker_ = Fd();
  EXPECT_THAT(login_->Step(), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ServerInquiryTest, AMalformedOneIsRefused) {  // V1
  Start();
  std::string inquiry;
  ipc::internal::AppendFrameHeader(FrameType::kInquiry, 1, 0, &inquiry);
  ASSERT_TRUE(SendPacketOf(asker_, inquiry));
  const absl::Status refused = login_->Step().status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kDataLoss));
  login_->Refuse(refused);
  ASSERT_OK_AND_ASSIGN(const auto frame, TryReceiveFrame(asker_));
  ASSERT_TRUE(frame.has_value());
  EXPECT_THAT(reader_.Add(frame->packet), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ServerInquiryTest, IsNoHelloAndMakesNoSession) {
  Start();
  ASSERT_TRUE(SendPacketOf(asker_, EncodeInquiry()));
  EXPECT_THAT(login_->Step(), StatusIs(kCancelled));
  EXPECT_EQ(terms_.sessions->Report("cacheSrv", ipc::internal::MemoryKind::kHeap).sessions, 0);
}

}  // namespace
}  // namespace ipc::testing
