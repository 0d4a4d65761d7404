#include "doc/test_table.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TestTableTest, ReadsRows) {
  const std::vector<TestTableRow> rows = TestTableRows(
      "| id | fault | tests |\n|---|---|---|\n"
      "| K1 | killed, `kill -9` | `//a:b_test` `B.One`, `B.Two`; `//c:d_test` `D.Three` |\n"
      "| N2 | not there | open: ipc_shm |\n"
      "| P7 | a thing: not yet | |\n");
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].id, "K1");
  EXPECT_THAT(rows[0].tests, ElementsAre(NamedTest{"//a:b_test", "B.One"}, NamedTest{"//a:b_test", "B.Two"},
                                         NamedTest{"//c:d_test", "D.Three"}));
  EXPECT_FALSE(rows[0].is_open);
  EXPECT_EQ(rows[1].id, "N2");
  EXPECT_THAT(rows[1].tests, IsEmpty());
  EXPECT_TRUE(rows[1].is_open);
  EXPECT_EQ(rows[2].id, "P7");
  EXPECT_TRUE(rows[2].is_open);
}

TEST(TestTableTest, FindsTests) {
  const char kSource[] =
      "\nTEST(A, One) {\nTEST_F(A,\n       Two) {\n// TEST(A, Three) {\nTEST_P(A, Four) {\nTYPED_TEST(A, Five) {";
  EXPECT_TRUE(DefinesTest(kSource, "A.One"));
  EXPECT_TRUE(DefinesTest(kSource, "A.Two"));
  EXPECT_FALSE(DefinesTest(kSource, "A.Three"));
  EXPECT_TRUE(DefinesTest(kSource, "A.Four"));
  EXPECT_TRUE(DefinesTest(kSource, "A.Five"));
  EXPECT_FALSE(DefinesTest(kSource, "B.One"));
  EXPECT_FALSE(DefinesTest(kSource, "A.On"));
}

}  // namespace
}  // namespace ipc::testing
