// Objects that both sides of a classic session write.

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "ipc_session/server.h"
#include "ipc_session/testing/universe.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/loan.h"
#include "ipc_shm/loan_stats.h"
#include "ipc_shm_classic/session.h"
#include "ipc_transport/channel.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"
#include "ipc_util/testing/temp_dir.h"
#include "ipc_util/testing/time_limit.h"

namespace ipc::testing {
namespace {

using session::shm::classic::Server;
using session::shm::classic::Session;

struct Table {
  uint64_t number = 0;
  shm::vector<uint64_t> numbers;
};

// Borrows a table and extends it, from this side's memory.
SLUICE_CHILD_ROLE(writer) {
  absl::StatusOr<Session> session = Session::Connect(kTestClient, kTestServer, OptionsIn(arguments[0]));
  if (!session.ok()) return 1;
  Channel channel = session->TakeChannel(0);
  absl::StatusOr<shm::LoanRef> ref = shm::ReceiveLoan(channel, TimeLimit());
  if (!ref.ok()) return 2;
  absl::StatusOr<std::shared_ptr<Table>> table = session->BorrowMutable<Table>(*ref);
  if (!table.ok()) return 3;
  (*table)->number = 7;
  for (uint64_t i = 0; i < 1000; ++i) (*table)->numbers.push_back(i);
  table->reset();
  TellParent("written");
  HearParent();
  return 0;
}

TEST(MutableLoanTest, TheOwnerReadsWhatTheBorrowerWrote) {
  const TempDir folder;
  ServerOptions options = ServerOptionsIn(folder.path());
  options.session.channels = 1;
  ASSERT_OK_AND_ASSIGN(Server server, Server::Listen(kTestServer, options));
  Child writer = Child::Start("writer", {folder.path()});
  ASSERT_OK_AND_ASSIGN(Session session, server.Accept(TimeLimit()));
  Channel channel = session.TakeChannel(0);
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<Table> table, session.arena().Construct<Table>());
  table->numbers.push_back(12345);
  ASSERT_OK_AND_ASSIGN(shm::Loan loan, session.Lend(table));
  ASSERT_OK(shm::SendLoan(channel, std::move(loan), TimeLimit()));
  ASSERT_EQ(writer.Hear(), "written");
  EXPECT_EQ(table->number, 7u);
  ASSERT_EQ(table->numbers.size(), 1001u);
  EXPECT_EQ(table->numbers[0], 12345u);
  for (uint64_t i = 0; i < 1000; ++i) ASSERT_EQ(table->numbers[i + 1], i);
  table.reset();
  EXPECT_EQ(session.loan_stats(), shm::LoanStats());
  writer.Tell("end");
  EXPECT_EQ(writer.Wait(), 0);
}

}  // namespace
}  // namespace ipc::testing
