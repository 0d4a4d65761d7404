#include "ipc_session/apps.h"

#include <climits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ipc_util/permissions.h"
#include "ipc_util/testing/status_matchers.h"

namespace ipc::testing {
namespace {

using ::testing::HasSubstr;

// Two names make a universe, at compile time.
constexpr App kClient{.name = "cacheCli"};
constexpr absl::string_view kMayConnect[] = {"cacheCli", "other-1"};
constexpr ServerApp kServer{.app = {.name = "cacheSrv"}, .allowed_clients = kMayConnect};
static_assert(kServer.permissions == Permissions::kUser);

absl::StatusCode CodeOf(const App& app) { return Validate(app).code(); }

TEST(AppsTest, DefaultsAreValid) {
  EXPECT_OK(Validate(kClient));
  EXPECT_OK(Validate(kServer));
}

TEST(AppsTest, NamesOfOneToThirtyTwoCharacters) {
  const std::string longest(32, 'x');
  for (const std::string& name : {std::string("a"), std::string("A-z_09"), longest}) {
    EXPECT_OK(Validate(App{.name = name})) << name;
  }
  for (const std::string& name : {std::string(), longest + "x", std::string("a b"), std::string("a/b"),
                                  std::string(".."), std::string("caf\xc3\xa9"), std::string("a\0b", 3)}) {
    EXPECT_EQ(CodeOf(App{.name = name}), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(AppsTest, AnErrorNamesFieldAndValue) {
  EXPECT_THAT(Validate(App{.name = "a\nb"}), StatusIs(absl::StatusCode::kInvalidArgument,
                                                      HasSubstr("App.name is \"a\\nb\"; an app's name has 1 to 32")));
  EXPECT_THAT(Validate(App{.name = "a", .executable = "bin/a"}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("App.executable of app \"a\" is \"bin/a\"")));
  EXPECT_THAT(Validate(ServerApp{.app = {.name = ""}, .allowed_clients = kMayConnect}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ServerApp.app.name is \"\"")));
}

TEST(AppsTest, AnErrorShowsOnlyTheStartOfALongValue) {
  const std::string name(100000, 'x');
  EXPECT_LT(Validate(App{.name = name}).message().size(), 300u);
}

TEST(AppsTest, ExecutablesAreAbsolutePaths) {
  EXPECT_OK(Validate(App{.name = "a", .executable = "/usr/bin/a"}));
  const std::string too_long = "/" + std::string(PATH_MAX - 1, 'x');
  for (const std::string& path : {std::string("a"), std::string("./a"), std::string("/a\0b", 4), too_long}) {
    EXPECT_EQ(CodeOf(App{.name = "a", .executable = path}), absl::StatusCode::kInvalidArgument) << path;
  }
}

TEST(AppsTest, TheListOfClientsIsNeitherEmptyNorDouble) {
  EXPECT_THAT(Validate(ServerApp{.app = {.name = "s"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("allowed_clients of app \"s\" is empty")));
  const absl::string_view doubled[] = {"a", "b", "a"};
  EXPECT_THAT(
      Validate(ServerApp{.app = {.name = "s"}, .allowed_clients = doubled}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("allowed_clients[2] is \"a\", which is listed already")));
  const absl::string_view bad[] = {"a", "b c"};
  EXPECT_THAT(Validate(ServerApp{.app = {.name = "s"}, .allowed_clients = bad}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("allowed_clients[1] is \"b c\"")));
}

}  // namespace
}  // namespace ipc::testing
