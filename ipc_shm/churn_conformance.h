// An arena in long use by many threads takes little more than what lives in it, and gives it back: stamped on each kind
// of shared-memory session.
//
//   SLUICE_INSTANTIATE_CHURN_CONFORMANCE(Classic, session::shm::classic);
//
// Link with //ipc_util/testing:test_main: the borrower is a process of its own. Longer with CHURN_STEPS in the
// environment.

#ifndef SLUICE_IPC_SHM_CHURN_CONFORMANCE_H_
#define SLUICE_IPC_SHM_CHURN_CONFORMANCE_H_

#include "gtest/gtest.h"
#include "ipc_shm/testing/session_kind.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

class ChurnConformance : public ::testing::TestWithParam<SessionKindUnderTest> {};

// Tells the role of the borrower which kind it is; done by the macro below.
int SetChurnKind(const SessionKindUnderTest& kind);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// One kind per test program; `kind` is a namespace below ::ipc with its Session and Server.
#define SLUICE_INSTANTIATE_CHURN_CONFORMANCE(name, kind)                                  \
  static constexpr ::ipc::testing::SessionKindUnderTest churn_kind_##name =               \
      ::ipc::testing::KindOfSession<::ipc::kind::Session, ::ipc::kind::Server>();         \
  static const int set_churn_##name = ::ipc::testing::SetChurnKind(churn_kind_##name);    \
  namespace ipc {                                                                         \
  inline namespace sluice_0 {                                                             \
  namespace testing {                                                                     \
  INSTANTIATE_TEST_SUITE_P(name, ChurnConformance, ::testing::Values(churn_kind_##name)); \
  }                                                                                       \
  }                                                                                       \
  }                                                                                       \
  static_assert(true)

#endif  // SLUICE_IPC_SHM_CHURN_CONFORMANCE_H_
