#include "ipc_util/testing/named_socket.h"

#include <sys/socket.h>

#include "gtest/gtest.h"
#include "ipc_util/fd.h"
#include "ipc_util/testing/child.h"

namespace ipc::testing {
namespace {

SLUICE_CHILD_ROLE(connector) {
  const Fd socket = NamedSocket::ConnectTo(arguments[0]);
  HearParent();
  return 0;
}

TEST(NamedSocketTest, ThePeerIsTheProcessThatConnected) {
  NamedSocket named;
  Child child = Child::Start("connector", {named.path()});
  const Fd connection = named.Accept();
  ASSERT_TRUE(connection.valid());
  ucred peer;
  socklen_t bytes = sizeof(peer);
  ASSERT_EQ(getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes), 0);
  EXPECT_EQ(peer.pid, child.pid());
  child.Tell("done");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace ipc::testing
