// What the memory of sessions is made of: one suite, stamped on each kind of shared-memory session.
//
//   SLUICE_INSTANTIATE_ARENA_PAGES_CONFORMANCE(Classic, session::shm::classic);
//
// Link with //ipc_util/testing:test_main: the other side is a process of its own. It changes how many huge pages the
// system hands out: tag it `exclusive`.

#ifndef SLUICE_IPC_SHM_ARENA_PAGES_CONFORMANCE_H_
#define SLUICE_IPC_SHM_ARENA_PAGES_CONFORMANCE_H_

#include "gtest/gtest.h"
#include "ipc_shm/testing/session_kind.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

class ArenaPagesConformance : public ::testing::TestWithParam<SessionKindUnderTest> {};

// Tells the roles of the other processes which kind they are; done by the macro below.
int SetArenaPagesKind(const SessionKindUnderTest& kind);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// One kind per test program; `kind` is a namespace below ::ipc with its Session and Server.
#define SLUICE_INSTANTIATE_ARENA_PAGES_CONFORMANCE(name, kind)                                 \
  static constexpr ::ipc::testing::SessionKindUnderTest pages_kind_##name =                    \
      ::ipc::testing::KindOfSession<::ipc::kind::Session, ::ipc::kind::Server>();              \
  static const int set_pages_##name = ::ipc::testing::SetArenaPagesKind(pages_kind_##name);    \
  namespace ipc {                                                                              \
  inline namespace sluice_0 {                                                                  \
  namespace testing {                                                                          \
  INSTANTIATE_TEST_SUITE_P(name, ArenaPagesConformance, ::testing::Values(pages_kind_##name)); \
  }                                                                                            \
  }                                                                                            \
  }                                                                                            \
  static_assert(true)

#endif  // SLUICE_IPC_SHM_ARENA_PAGES_CONFORMANCE_H_
