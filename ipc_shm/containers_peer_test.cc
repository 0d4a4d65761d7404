// Containers that two processes see: one that only reads, and, as in a classic session, one that changes them too.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "ipc_shm/allocation_error.h"
#include "ipc_shm/arena_scope.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/testing/placed_arena.h"
#include "ipc_util/fd.h"
#include "ipc_util/region.h"
#include "ipc_util/testing/child.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::ipc::shm::ArenaScope;

struct Document {
  shm::string title;
  shm::optional<shm::string> author;
  shm::vector<shm::string> lines;
};

struct Library {
  shm::map<shm::string, shm::vector<shm::string>> ordered;
  shm::unordered_map<shm::string, shm::map<int, shm::list<shm::string>>> hashed;
  shm::deque<Document> documents;
  shm::set<shm::string> names;
  shm::multimap<int, shm::string> by_number;
  shm::multiset<int> numbers;
  shm::unordered_set<uint64_t> ids;
};

constexpr int kItems = 500;

std::string Long(int number) { return absl::StrCat("a text of some length, number ", number); }

void Fill(Library& library, int first, int last) {
  for (int i = first; i < last; ++i) {
    library.ordered.emplace(Long(i), std::vector<std::string>{}.size()).first->second.emplace_back(Long(i + 1));
    library.hashed.emplace(std::piecewise_construct, std::forward_as_tuple(Long(i)), std::forward_as_tuple())
        .first->second[i]
        .emplace_back(Long(i));
    Document& document = library.documents.emplace_back();
    document.title = Long(i);
    document.author.emplace(Long(-i));
    document.lines.emplace_back(Long(i));
    library.names.emplace(Long(i));
    library.by_number.emplace(i % 10, Long(i));
    library.numbers.insert(i % 10);
    library.ids.insert(i);
  }
}

// What is wrong in it, "" if nothing.
std::string Check(const Library& library, int items) {
  const size_t size = items;
  if (library.ordered.size() != size || library.hashed.size() != size || library.documents.size() != size ||
      library.names.size() != size || library.by_number.size() != size || library.numbers.size() != size ||
      library.ids.size() != size) {
    return "a container has another size";
  }
  for (int i = 0; i < items; ++i) {
    const std::string text = Long(i);
    const auto ordered = library.ordered.find(std::string_view(text));
    if (ordered == library.ordered.end() || ordered->second.back() != Long(i + 1)) return "map: " + text;
    const auto hashed = library.hashed.find(std::string_view(text));
    if (hashed == library.hashed.end() || hashed->second.at(i).front() != text) return "unordered_map: " + text;
    const Document& document = library.documents[i];
    if (document.title != text || document.author != Long(-i) || document.lines.at(0) != text) return "deque: " + text;
    if (library.names.count(text) != 1) return "set: " + text;
    if (library.by_number.count(i % 10) != library.numbers.count(i % 10)) return "multimap: " + text;
    if (!library.ids.contains(i)) return "unordered_set: " + text;
  }
  return "";
}

template <typename T>
T* At(const std::string& address) {
  uintptr_t number = 0;
  std::from_chars(address.data(), address.data() + address.size(), number);
  return reinterpret_cast<T*>(number);
}

std::vector<std::string> ArgumentsFor(const PlacedArena& placed, const Library* library) {
  return {absl::StrCat(placed.address()), absl::StrCat(reinterpret_cast<uintptr_t>(library))};
}

// Arguments: where the region and the library are.
SLUICE_CHILD_ROLE(reader) {
  const Region region = MapPlacedReadOnly(InheritedFd(), reinterpret_cast<uintptr_t>(At<char>(arguments[0])));
  const Library& library = *At<const Library>(arguments[1]);
  TellParent(absl::StrCat("library: ", Check(library, kItems)));
  try {
    const shm::vector<Document> copy(library.documents.begin(), library.documents.end());
    TellParent("copied");
  } catch (const shm::NoArena& error) {
    TellParent(error.what());
  }
  const PlacedArena own = PlacedArena::Create();
  const ArenaScope scope(own.arena());
  Library copy = library;
  const std::string checked = Check(copy, kItems);
  TellParent(absl::StrCat("copy: ", checked, own.region().Contains(copy.documents[7].title.data()) ? "" : "elsewhere"));
  return 0;
}

TEST(ContainersPeerTest, AnotherProcessReadsThemInPlaceAndCopiesThemToItsOwnArena) {
  const PlacedArena placed = PlacedArena::Create();
  ASSERT_OK_AND_ASSIGN(const Fd read_only, placed.region().OpenReadOnly());
  shm::Allocator<Library> allocator(placed.arena());
  Library* const library = allocator.allocate(1);
  allocator.construct(library);
  Fill(*library, 0, kItems);
  EXPECT_EQ(Check(*library, kItems), "");
  {
    Child child =
        Child::Start("reader", ArgumentsFor(placed, library), {.environment = {}, .inherited = read_only.view()});
    EXPECT_EQ(child.Hear(), "library: ");
    EXPECT_EQ(child.Hear(),
              "ipc::shm::NoArena: a container in no arena wants memory; make it under an ArenaScope of an "
              "arena whose region lies at an equal address in both processes");
    EXPECT_EQ(child.Hear(), "copy: ");
    EXPECT_EQ(child.Wait(), 0);
  }
  library->~Library();
  allocator.deallocate(library, 1);
  EXPECT_EQ(placed.blocks(), 0u);
}

// Arguments: where the region and the library are.
SLUICE_CHILD_ROLE(writer) {
  const PlacedArena placed = PlacedArena::Join(InheritedFd(), reinterpret_cast<uintptr_t>(At<char>(arguments[0])));
  Library& library = *At<Library>(arguments[1]);
  TellParent(Check(library, kItems));
  // Nodes of this side's heap in containers of the other's; nothing of the other's is freed.
  for (int i = kItems; i < 2 * kItems; ++i) {
    library.names.emplace(Long(i));
    library.by_number.emplace(i % 10, Long(i));
    library.numbers.insert(i % 10);
  }
  for (Document& document : library.documents) std::reverse(document.title.begin(), document.title.end());
  TellParent(absl::StrCat(placed.blocks()));
  HearParent();
  return 0;
}

// M5
TEST(ContainersPeerTest, BothProcessesChangeThem) {
  const PlacedArena placed = PlacedArena::Create();
  shm::Allocator<Library> allocator(placed.arena());
  Library* const library = allocator.allocate(1);
  allocator.construct(library);
  Fill(*library, 0, kItems);
  const size_t blocks = placed.blocks();
  Child child =
      Child::Start("writer", ArgumentsFor(placed, library), {.environment = {}, .inherited = placed.region().fd()});
  EXPECT_EQ(child.Hear(), "");
  EXPECT_EQ(child.Hear(), absl::StrCat(kItems * 5))
      << "a node and a text for the set and the multimap, a node for the rest";
  EXPECT_EQ(placed.blocks(), blocks) << "the other side allocates from its own heap";
  ASSERT_EQ(library->names.size(), 2u * kItems);
  for (int i = 0; i < 2 * kItems; ++i) {
    EXPECT_EQ(library->names.count(Long(i)), 1u);
  }
  EXPECT_EQ(library->by_number.count(3), 2u * kItems / 10);
  EXPECT_TRUE(std::is_sorted(library->numbers.begin(), library->numbers.end()));
  EXPECT_EQ(library->documents[12].title, "21 rebmun ,htgnel emos fo txet a");
  child.Tell("done");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace ipc::testing
