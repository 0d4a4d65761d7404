// What a borrower can do to the memory that it reads: nothing.

#include <csignal>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/internal/mutable_borrow.h"
#include "ipc_shm_jemalloc/internal/jemalloc_memory.h"
#include "ipc_shm_jemalloc/session.h"
#include "ipc_transport/structured/channel.h"
#include "ipc_transport/structured/message.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"
#include "ipc_transport/structured/testing/parcels.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using session::shm::jemalloc::Server;
using session::shm::jemalloc::Session;
using sluice_test::Parcel;

constexpr size_t kPartBytes = 1'000'000;

// The compiler refuses BorrowMutable, see mutable_borrow_test.
static_assert(!::ipc::internal::kMayBorrowMutable<::ipc::internal::JemallocKind>);

// Receives a message and writes into it.
SLUICE_CHILD_ROLE(scribbler) {
  std::signal(SIGSEGV, SIG_DFL);  // Sanitizers would end the process in their own way.
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) return 1;
  auto channel = StructuredChannel<Parcel>::Upgrade(session->TakeChannel(0), *session);
  absl::StatusOr<Incoming<Parcel>> message = channel.Receive(TimeLimit());
  if (!message.ok()) return 2;
  TellParent("received");
  HearParent();
  const_cast<kj::byte&>(message->body().getParts()[0].front()) = 0;
  return 0;
}

// H5: it ends in a SIGSEGV of the borrower, and the owner goes on.
TEST(JemallocBorrowerTest, AWriteHurtsTheWriterAlone) {
  const TempDir folder;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, ServerOptionsIn(folder.path())));
  Child scribbler = Child::Start("scribbler", {folder.path()});
  ASSERT_OK_AND_ASSIGN(Session session, server.Accept(TimeLimit()));
  auto channel = StructuredChannel<Parcel>::Upgrade(session.TakeChannel(0), session);
  Message<Parcel> message = channel.NewMessage();
  Fill(message.body(), 1, 3, kPartBytes);
  ASSERT_OK_AND_ASSIGN(const FrozenMessage<Parcel> frozen, std::move(message).Freeze());
  ASSERT_OK(channel.Send(frozen, TimeLimit()));
  ASSERT_EQ(scribbler.Hear(), "received");
  scribbler.Tell("go");
  EXPECT_EQ(scribbler.Wait(), -SIGSEGV);
  EXPECT_TRUE(IsFilled(frozen.body(), 1, 3, kPartBytes));
  EXPECT_THAT(session.WaitForEnd(TimeLimit()), StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace ipc::testing
