// What `wait_fd` of a session's arena must tell: one suite, stamped on each kind of shared-memory session.
//
//   SLUICE_INSTANTIATE_LOAN_EVENTS_CONFORMANCE(Classic, session::shm::classic);
//
// Link with //ipc_util/testing:test_main: the other side is a process of its own.

#ifndef SLUICE_IPC_SHM_LOAN_EVENTS_CONFORMANCE_H_
#define SLUICE_IPC_SHM_LOAN_EVENTS_CONFORMANCE_H_

#include "gtest/gtest.h"
#include "ipc_shm/testing/session_kind.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

class LoanEventsConformance : public ::testing::TestWithParam<SessionKindUnderTest> {};

// Tells the roles of the other processes which kind they are; done by the macro below.
int SetLoanEventsKind(const SessionKindUnderTest& kind);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// One kind per test program; `kind` is a namespace below ::ipc with its Session and Server.
#define SLUICE_INSTANTIATE_LOAN_EVENTS_CONFORMANCE(name, kind)                                          \
  static constexpr ::ipc::testing::SessionKindUnderTest loan_events_kind_##name =                       \
      ::ipc::testing::KindOfSession<::ipc::kind::Session, ::ipc::kind::Server>();                       \
  static const int set_loan_events_##name = ::ipc::testing::SetLoanEventsKind(loan_events_kind_##name); \
  namespace ipc {                                                                                       \
  inline namespace sluice_0 {                                                                           \
  namespace testing {                                                                                   \
  INSTANTIATE_TEST_SUITE_P(name, LoanEventsConformance, ::testing::Values(loan_events_kind_##name));    \
  }                                                                                                     \
  }                                                                                                     \
  }                                                                                                     \
  static_assert(true)

#endif  // SLUICE_IPC_SHM_LOAN_EVENTS_CONFORMANCE_H_
