#include "ipc_session/internal/name_field.h"

#include <string>

#include "absl/status/status.h"
#include "gtest/gtest.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::internal {
namespace {

using ::ipc::testing::IsOkAndHolds;
using ::ipc::testing::StatusIs;

TEST(NameFieldTest, NamesTravel) {
  for (const std::string& name : {std::string("a"), std::string("cache-Srv_1"), std::string(32, 'x')}) {
    EXPECT_THAT(FromNameField(ToNameField(name)), IsOkAndHolds(name));
  }
}

TEST(NameFieldTest, WhatIsNoNameIsRefused) {  // V1
  NameField hidden = ToNameField("cacheSrv");
  hidden.back() = 'x';
  for (const NameField& field :
       {NameField{}, ToNameField("a b"), ToNameField("\033[2J"), ToNameField("../a"), hidden}) {
    EXPECT_THAT(FromNameField(field), StatusIs(absl::StatusCode::kDataLoss));
  }
}

}  // namespace
}  // namespace ipc::internal
