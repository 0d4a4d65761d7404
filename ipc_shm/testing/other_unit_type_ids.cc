#include "ipc_shm/testing/other_unit_type_ids.h"

namespace example {
struct Incomplete {
  char bytes[100];
};
}  // namespace example

namespace ipc {
inline namespace sluice_0 {
namespace testing {

shm::TypeId IndexIdOfOtherUnit() { return shm::TypeIdOf<shm::map<shm::string, shm::vector<int>>>(); }
shm::TypeId EntryIdOfOtherUnit() { return shm::TypeIdOf<OtherUnitEntry>(); }
shm::TypeId IncompletePointerIdOfOtherUnit() { return shm::TypeIdOf<example::Incomplete*>(); }

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
