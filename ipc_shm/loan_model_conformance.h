// Random traffic of native objects between two processes, undisturbed and disturbed: stamped on each kind of
// shared-memory session.
//
//   SLUICE_INSTANTIATE_LOAN_MODEL_CONFORMANCE(Classic, session::shm::classic, /*peers_write=*/true);
//
// Link with //ipc_util/testing:test_main: the other side is a process of its own. Longer with LOAN_MODEL_STEPS and
// LOAN_MODEL_KILLS in the environment.

#ifndef SLUICE_IPC_SHM_LOAN_MODEL_CONFORMANCE_H_
#define SLUICE_IPC_SHM_LOAN_MODEL_CONFORMANCE_H_

#include "gtest/gtest.h"
#include "ipc_shm/testing/session_kind.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct LoanModelKind {
  SessionKindUnderTest sessions;
  bool peers_write = false;
};

class LoanModelConformance : public ::testing::TestWithParam<LoanModelKind> {};

// Tells the roles of the other processes which kind they are; done by the macro below.
int SetLoanModelKind(const LoanModelKind& kind);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

// One kind per test program; `kind` is a namespace below ::ipc with its Session and Server.
#define SLUICE_INSTANTIATE_LOAN_MODEL_CONFORMANCE(name, kind, writes)                                \
  static constexpr ::ipc::testing::LoanModelKind loan_model_kind_##name = {                          \
      ::ipc::testing::KindOfSession<::ipc::kind::Session, ::ipc::kind::Server>(), writes};           \
  static const int set_loan_model_##name = ::ipc::testing::SetLoanModelKind(loan_model_kind_##name); \
  namespace ipc {                                                                                    \
  inline namespace sluice_0 {                                                                        \
  namespace testing {                                                                                \
  INSTANTIATE_TEST_SUITE_P(name, LoanModelConformance, ::testing::Values(loan_model_kind_##name));   \
  }                                                                                                  \
  }                                                                                                  \
  }                                                                                                  \
  static_assert(true)

#endif  // SLUICE_IPC_SHM_LOAN_MODEL_CONFORMANCE_H_
