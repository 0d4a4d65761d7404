#include "ipc_shm/type_identity.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gtest/gtest.h"
#include "ipc_shm/containers.h"
#include "ipc_shm/testing/other_unit_type_ids.h"

namespace example {

struct Versioned1 {
  static constexpr uint32_t kIpcVersion = 1;
  int x;
};
struct Versioned2 {
  static constexpr uint32_t kIpcVersion = 2;
  int x;
};
struct Plain {
  int x;
};
struct alignas(16) Wide {
  int x[4];
};
template <typename T>
struct Box {
  T t;
};
struct Tree {
  ipc::shm::vector<Tree> branches;
  Tree* parent;
};
struct Incomplete;

}  // namespace example

namespace ipc::testing {
namespace {

using ::ipc::shm::TypeId;
using ::ipc::shm::TypeIdOf;
using ::ipc::shm::TypeNameOf;

template <typename... Ts>
size_t Distinct() {
  return std::set<uint64_t>{TypeIdOf<Ts>().value...}.size();
}

TEST(TypeIdentityTest, DifferentTypesHaveDifferentIds) {
  const size_t distinct =
      Distinct<int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, bool, char, float, double,
               int*, char*, example::Plain, example::Plain*, example::Incomplete*, example::Wide, example::Versioned1,
               example::Versioned2, example::Box<int>, example::Box<unsigned>, example::Tree, std::string, shm::string,
               std::vector<int>, shm::vector<int>, shm::vector<unsigned>, shm::deque<int>, shm::map<int, int>,
               shm::unordered_map<int, int>, shm::map<shm::string, shm::vector<int>>,
               shm::map<shm::string, shm::vector<char>>, shm::vector<example::Versioned1>,
               shm::vector<example::Versioned2>, std::array<int, 3>, std::array<int, 4>, std::array<char, 12>, int[3],
               int[4], std::pair<int, char>, std::pair<char, int>, std::optional<int>, std::variant<int, char>,
               shm::optional<shm::string>>();
  EXPECT_EQ(distinct, 45u);
}

TEST(TypeIdentityTest, NamesOfOneTypeHaveOneId) {
  EXPECT_EQ(TypeIdOf<unsigned long>(), TypeIdOf<unsigned long long>()) << "of one size and kind";
  EXPECT_EQ(TypeIdOf<const int>(), TypeIdOf<int>());
  EXPECT_EQ(TypeIdOf<const int*>(), TypeIdOf<int*>());
  EXPECT_EQ((TypeIdOf<shm::map<int, int>>()),
            (TypeIdOf<std::map<int, int, std::less<>, shm::Allocator<std::pair<const int, int>>>>()));
}

TEST(TypeIdentityTest, OneTypeHasOneIdInEveryTranslationUnit) {
  EXPECT_EQ((TypeIdOf<shm::map<shm::string, shm::vector<int>>>()), IndexIdOfOtherUnit());
  EXPECT_EQ(TypeIdOf<OtherUnitEntry>(), EntryIdOfOtherUnit());
  EXPECT_EQ(TypeIdOf<example::Incomplete*>(), IncompletePointerIdOfOtherUnit());
}

// Compiled by g++ 12 and clang++ 15, both with libstdc++ 12: what one writes the other reads.
TEST(TypeIdentityTest, CompilersAgree) {
#if defined(_GLIBCXX_RELEASE) && _GLIBCXX_RELEASE == 12 && _GLIBCXX_USE_CXX11_ABI && !defined(_GLIBCXX_DEBUG)
  EXPECT_EQ(TypeIdOf<uint64_t>().value, 17840876887468446814u);
  EXPECT_EQ(TypeIdOf<shm::string>().value, 6661940123659413748u);
  EXPECT_EQ((TypeIdOf<shm::unordered_map<shm::string, shm::vector<example::Box<int>>>>().value), 6009114101542298007u);
#else
  GTEST_SKIP() << "another standard library";
#endif
}

TEST(TypeIdentityTest, NamesAreForPeople) {
  EXPECT_EQ(TypeNameOf<example::Plain>(), "example::Plain");
  EXPECT_EQ(TypeNameOf<const example::Box<int>>(), "example::Box<int>");
}

}  // namespace
}  // namespace ipc::testing
