// Parcels of any size whose content can be told from others'.

#ifndef SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_PARCELS_H_
#define SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_PARCELS_H_

#include <cstddef>
#include <cstdint>

#include "gtest/gtest.h"
#include "ipc_transport/structured/testing/parcel.capnp.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

// `parts` parts of `bytes` each, different for each `number`.
void Fill(sluice_test::Parcel::Builder parcel, uint64_t number, size_t parts = 0, size_t bytes = 0);

// Whether it is what `Fill` made.
::testing::AssertionResult IsFilled(sluice_test::Parcel::Reader parcel, uint64_t number, size_t parts = 0,
                                    size_t bytes = 0);

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_TRANSPORT_STRUCTURED_TESTING_PARCELS_H_
