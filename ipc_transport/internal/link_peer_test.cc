// What link_test cannot see in one process: how the peer's process ended, and signals.

#include <signal.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_transport/internal/link.h"
#include "ipc_util/deadline.h"
#include "ipc_util/fd.h"
#include "ipc_util/internal/os_testing.h"
#include "ipc_util/pid_fd.h"
#include "ipc_util/status.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/signal_storm.h"
#include "ipc_util/testing/socket_pair.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::Link;
using ::testing::HasSubstr;

std::shared_ptr<Link> MakeLink(Fd socket, PidFd peer = PidFd()) {
  return Link::Create(std::move(socket), std::move(peer)).value();
}

SLUICE_CHILD_ROLE(waits) {
  HearParent();
  return 0;
}

// Descriptors to and fro; `first` begins. OK: none was lost.
absl::Status ExchangeDescriptors(Link& link, bool first) {
  const std::vector<FdView> views(2, FdView(0));
  uint64_t ticket = link.Ticket();
  for (uint64_t record = 1; record <= 2000; ++record) {
    for (const bool sends : {first, !first}) {
      if (sends) {
        const absl::StatusOr<bool> sent = link.SendDescriptors(1, record, views);
        if (!sent.ok()) return sent.status();
        if (!*sent) return absl::InternalError("an empty socket has no room");
      } else {
        const absl::Status woken = link.Wait(ticket, TimeLimit());
        if (!woken.ok()) return woken;
        ticket = link.Ticket();
        const absl::StatusOr<std::vector<Fd>> taken = link.TakeDescriptors(1, record, views.size());
        if (!taken.ok()) return taken.status();
      }
    }
  }
  return absl::OkStatus();
}

SLUICE_CHILD_ROLE(stormed) {
  const auto link = MakeLink(InheritedFd());
  absl::Status exchanged;
  {
    const SignalStorm storm;
    exchanged = ExchangeDescriptors(*link, false);
    if (storm.signals() == 0) return 1;
  }
  TellParent(exchanged.ToString());
  HearParent();
  return 0;
}

// Sends the descriptors of three records, and waits.
SLUICE_CHILD_ROLE(sends) {
  const auto link = MakeLink(InheritedFd());
  const std::vector<FdView> views(2, FdView(0));
  for (uint64_t record = 1; record <= 3; ++record) {
    if (!link->SendDescriptors(1, record, views).ok()) return 1;
  }
  TellParent("sent");
  HearParent();
  return 0;
}

SLUICE_CHILD_ROLE(exits_with_3) { return 3; }

void KillAndLeave(Child& child) {
  ASSERT_EQ(kill(child.pid(), SIGKILL), 0);
  child.WaitUntilEnded();
}

// P3, F27: in both processes.
TEST(LinkPeerTest, AStormOfSignalsLosesNothing) {
  auto [here, there] = MakeSocketPair();
  Child child = Child::Start("stormed", {}, {.environment = {}, .inherited = there});
  there.Close();
  const auto link = MakeLink(std::move(here));
  {
    const SignalStorm storm;
    EXPECT_OK(ExchangeDescriptors(*link, true));
    EXPECT_GT(storm.signals(), 0);
  }
  EXPECT_EQ(child.Hear(), "OK");
  child.Tell("end");
  EXPECT_EQ(child.Wait(), 0);
}

// F20: a copy of its end of the socket lives on in another process.
TEST(LinkPeerTest, TheDeathOfThePeerIsTheEnd) {
  Child child = Child::Start("waits");
  auto [here, there] = MakeSocketPair();
  ASSERT_OK_AND_ASSIGN(PidFd peer, PidFd::Open(child.pid()));
  const auto link = MakeLink(std::move(here), std::move(peer));
  link->Pump();
  EXPECT_FALSE(link->ended());
  std::thread killer([&] { KillAndLeave(child); });
  EXPECT_OK(link->Wait(link->Ticket(), TimeLimit()));
  killer.join();
  EXPECT_THAT(link->end_status(),
              StatusIs(absl::StatusCode::kUnavailable,
                       absl::StrCat("the peer's process ", child.pid(), " was killed by signal ", SIGKILL)));
  EXPECT_EQ(ReasonOf(link->end_status()), Reason::kKilled);
}

// A link to a process of its own, which holds the other end of the socket alone.
class LinkPeerProcessTest : public ::testing::Test {
 protected:
  void Start(absl::string_view role) {
    auto [here, there] = MakeSocketPair();
    child_.emplace(Child::Start(role, {}, {.environment = {}, .inherited = there}));
    ASSERT_OK_AND_ASSIGN(PidFd peer, PidFd::Open(child_->pid()));
    link_ = MakeLink(std::move(here), std::move(peer));
    there_ = std::move(there);
  }

  std::optional<Child> child_;
  std::shared_ptr<Link> link_;
  Fd there_;
};

TEST_F(LinkPeerProcessTest, AnExitIsToldWithItsCode) {
  ASSERT_NO_FATAL_FAILURE(Start("exits_with_3"));
  there_.Close();
  child_->WaitUntilEnded();
  link_->Pump();
  EXPECT_THAT(link_->end_status(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(" exited with code 3")));
  EXPECT_EQ(ReasonOf(link_->end_status()), Reason::kExited);
}

// Data first: what it sent before it died is there, whether its death or the end of its socket is seen first.
TEST_F(LinkPeerProcessTest, WhatItSentBeforeItDiedIsThere) {
  for (const bool death_first : {true, false}) {
    ASSERT_NO_FATAL_FAILURE(Start("sends"));
    if (!death_first) there_.Close();
    ASSERT_EQ(child_->Hear(), "sent");
    KillAndLeave(*child_);
    link_->Pump();
    EXPECT_EQ(ReasonOf(link_->end_status()), Reason::kKilled);
    for (uint64_t record = 1; record <= 3; ++record) EXPECT_OK(link_->TakeDescriptors(1, record, 2));
  }
}

// The end of the socket comes first, that of the process while the link looks for it.
TEST_F(LinkPeerProcessTest, AnEndThatIsSeenAfterThatOfTheSocketIsToldToo) {
  ASSERT_NO_FATAL_FAILURE(Start("waits"));
  there_.Close();
  KillAndLeave(*child_);
  const OsTesting os({FailCall("Poll", EINTR)});
  link_->Pump();
  EXPECT_EQ(os.interventions(), 1);
  EXPECT_EQ(ReasonOf(link_->end_status()), Reason::kKilled);
}

TEST_F(LinkPeerProcessTest, WhereTheKernelTellsNoMoreItIsGone) {
  ASSERT_NO_FATAL_FAILURE(Start("waits"));
  there_.Close();
  KillAndLeave(*child_);
  const OsTesting os({FailCall("WaitId", ECHILD, {.times = kAlways}), FailCall("Ioctl", ENOTTY, {.times = kAlways})});
  link_->Pump();
  EXPECT_THAT(link_->end_status(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(" has ended")));
  EXPECT_EQ(ReasonOf(link_->end_status()), Reason::kGone);
}

// A zombie that its parent leaves alone is not waited for for ever.
TEST_F(LinkPeerProcessTest, AZombieOfAnotherIsGone) {
  ASSERT_NO_FATAL_FAILURE(Start("waits"));
  KillAndLeave(*child_);
  const OsTesting os({FailCall("WaitId", ECHILD, {.times = kAlways})});
  EXPECT_OK(link_->Wait(link_->Ticket(), Deadline::Never()));
  EXPECT_EQ(ReasonOf(link_->end_status()), Reason::kGone);
}

TEST_F(LinkPeerProcessTest, APeerThatClosesItsSocketAndLivesIsGone) {
  auto [here, there] = MakeSocketPair();
  ASSERT_NO_FATAL_FAILURE(Start("waits"));
  ASSERT_OK_AND_ASSIGN(PidFd peer, PidFd::Open(child_->pid()));
  const auto link = MakeLink(std::move(here), std::move(peer));
  there.Close();
  EXPECT_OK(link->Wait(link->Ticket(), Deadline::Never()));
  EXPECT_THAT(link->end_status(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("its end of the socket")));
  EXPECT_EQ(ReasonOf(link->end_status()), Reason::kGone);
}

}  // namespace
}  // namespace ipc::testing
