#include "ipc_shm/internal/type_names.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace example {
template <typename T>
struct Outer {
  template <typename U>
  struct Inner {};
};
}  // namespace example

namespace ipc::internal {
namespace {

TEST(TypeNamesTest, NamesAreSpelledWithTheirNamespaces) {
  EXPECT_EQ(SpelledName<int>(), "int");
  EXPECT_EQ(SpelledName<example::Outer<int>>(), "example::Outer<int>");
}

TEST(TypeNamesTest, TheArgumentsOfTheLastTemplateAreTakenOff) {
  EXPECT_EQ(WithoutArguments("int"), "int");
  EXPECT_EQ(WithoutArguments(""), "");
  EXPECT_EQ(WithoutArguments("a<b<c>, d>"), "a");
  EXPECT_EQ(WithoutArguments(SpelledName<example::Outer<int>::Inner<char>>()), "example::Outer<int>::Inner");
}

TEST(TypeNamesTest, InlineNamespacesDoNotCount) {
  EXPECT_TRUE(IsNamed("std::__cxx11::basic_string", "std::basic_string"));
  EXPECT_TRUE(IsNamed("std::__1::mutex", "std::mutex"));
  EXPECT_TRUE(IsNamed("std::mutex", "std::mutex"));
  EXPECT_FALSE(IsNamed("std::mutex", "std::mutex2"));
  EXPECT_FALSE(IsNamed("std::mutex2", "std::mutex"));
  EXPECT_FALSE(IsNamed("", "std::mutex"));
  EXPECT_TRUE(IsNamed(WithoutArguments(SpelledName<std::string>()), "std::basic_string"));
  NameHash with;
  NameHash without;
  with.Add("a::sluice_0::b");
  without.Add("a::b");
  EXPECT_EQ(with.value(), without.value());
}

TEST(TypeNamesTest, HashesTellSequencesApart) {
  NameHash a;
  a.Add("ab");
  a.Add("c");
  NameHash b;
  b.Add("a");
  b.Add("bc");
  EXPECT_NE(a.value(), b.value());
  NameHash one;
  one.Add(uint64_t{1});
  EXPECT_NE(one.value(), NameHash().value());
}

}  // namespace
}  // namespace ipc::internal
