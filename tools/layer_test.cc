// The check behind layer_test.bzl: the answer to its query, a list of targets, is empty (or is not, where it says so).

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

std::string_view Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

TEST(LayerTest, ReachesNothingForbidden) {
  std::ifstream answer{std::string(Variable("REACHED"))};
  ASSERT_TRUE(answer.is_open());
  std::vector<std::string> reached;
  for (std::string target; std::getline(answer, target);) reached.push_back(target);

  if (Variable("EXPECT_REACHED") == "1") {
    EXPECT_THAT(reached, testing::Not(testing::IsEmpty()));
  } else {
    EXPECT_THAT(reached, testing::IsEmpty());
  }
}

}  // namespace
