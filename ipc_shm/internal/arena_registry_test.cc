#include "ipc_shm/internal/arena_registry.h"

#include <cstdint>

#include "gtest/gtest.h"
#include "ipc_util/internal/address_space.h"

namespace ipc::testing {
namespace {

using ::ipc::internal::AddressWindow;
using ::ipc::internal::ArenaHeader;
using ::ipc::internal::ArenaRegistry;
using ::ipc::internal::PagedArena;

// Nothing is read through either.
const ArenaHeader* HeaderAt(uintptr_t address) { return reinterpret_cast<const ArenaHeader*>(address); }
PagedArena* ArenaNumber(uintptr_t number) { return reinterpret_cast<PagedArena*>(number * 64); }

const ArenaHeader* const kFirst = HeaderAt(AddressWindow::kBegin);
const ArenaHeader* const kSecond = kFirst + 1;
const ArenaHeader* const kLast = HeaderAt(AddressWindow::kEnd - AddressWindow::kSlotBytes) + 1;

TEST(ArenaRegistryTest, HeadersLeadToTheirArenas) {
  EXPECT_TRUE(ArenaRegistry::Add(kFirst, ArenaNumber(1)));
  EXPECT_TRUE(ArenaRegistry::Add(kSecond, ArenaNumber(2)));
  EXPECT_TRUE(ArenaRegistry::Add(kLast, ArenaNumber(3)));
  EXPECT_EQ(ArenaRegistry::Find(kFirst), ArenaNumber(1));
  EXPECT_EQ(ArenaRegistry::Find(kSecond), ArenaNumber(2));
  EXPECT_EQ(ArenaRegistry::Find(kLast), ArenaNumber(3));
  ArenaRegistry::Remove(kFirst, ArenaNumber(1));
  ArenaRegistry::Remove(kSecond, ArenaNumber(2));
  ArenaRegistry::Remove(kLast, ArenaNumber(3));
  EXPECT_EQ(ArenaRegistry::Find(kFirst), nullptr);
  EXPECT_EQ(ArenaRegistry::Find(kSecond), nullptr);
  EXPECT_EQ(ArenaRegistry::Find(kLast), nullptr);
}

TEST(ArenaRegistryTest, OtherAddressesLeadNowhere) {
  for (const ArenaHeader* const header :
       {HeaderAt(0), kFirst - 1, kFirst + 2, HeaderAt(AddressWindow::kEnd), HeaderAt(UINTPTR_MAX - 63)}) {
    EXPECT_FALSE(ArenaRegistry::Add(header, ArenaNumber(1))) << header;
    EXPECT_FALSE(ArenaRegistry::AddIfFree(header, ArenaNumber(1))) << header;
    EXPECT_EQ(ArenaRegistry::Find(header), nullptr) << header;
  }
}

TEST(ArenaRegistryTest, TheOwnersArenaComesFirst) {
  EXPECT_TRUE(ArenaRegistry::AddIfFree(kFirst, ArenaNumber(1)));
  EXPECT_EQ(ArenaRegistry::Find(kFirst), ArenaNumber(1));
  EXPECT_TRUE(ArenaRegistry::Add(kFirst, ArenaNumber(2)));
  EXPECT_TRUE(ArenaRegistry::AddIfFree(kFirst, ArenaNumber(1)));
  EXPECT_EQ(ArenaRegistry::Find(kFirst), ArenaNumber(2));
  ArenaRegistry::Remove(kFirst, ArenaNumber(1));
  EXPECT_EQ(ArenaRegistry::Find(kFirst), ArenaNumber(2)) << "it was another's";
  ArenaRegistry::Remove(kFirst, ArenaNumber(2));
}

}  // namespace
}  // namespace ipc::testing
