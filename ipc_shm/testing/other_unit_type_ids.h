// Identities of types as another translation unit sees them.

#ifndef SLUICE_IPC_SHM_TESTING_OTHER_UNIT_TYPE_IDS_H_
#define SLUICE_IPC_SHM_TESTING_OTHER_UNIT_TYPE_IDS_H_

#include "ipc_shm/containers.h"
#include "ipc_shm/type_identity.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {

struct OtherUnitEntry {
  shm::string name;
  int number;
};

shm::TypeId IndexIdOfOtherUnit();  // Of shm::map<shm::string, shm::vector<int>>.
shm::TypeId EntryIdOfOtherUnit();
shm::TypeId IncompletePointerIdOfOtherUnit();  // Of example::Incomplete*, where it is complete.

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc

#endif  // SLUICE_IPC_SHM_TESTING_OTHER_UNIT_TYPE_IDS_H_
