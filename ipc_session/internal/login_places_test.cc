#include "ipc_session/internal/login_places.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace ipc::testing {
namespace {

using ipc::internal::LoginPlaces;

constexpr uid_t kAnna = 1;
constexpr uid_t kBert = 2;
constexpr uid_t kCarl = 3;

void Take(LoginPlaces& places, uid_t uid, int count) {
  for (int i = 0; i < count; ++i) ASSERT_TRUE(places.TryTake(uid));
}

TEST(LoginPlacesTest, SoManyPerUid) {
  LoginPlaces places(10, 4);
  Take(places, kAnna, 4);
  EXPECT_FALSE(places.TryTake(kAnna));
  Take(places, kBert, 4);
  EXPECT_FALSE(places.TryTake(kBert));
  places.GiveBack(kAnna);
  EXPECT_FALSE(places.TryTake(kBert));
  EXPECT_TRUE(places.TryTake(kAnna));
}

TEST(LoginPlacesTest, SoManyInAll) {
  LoginPlaces places(6, 4);
  Take(places, kAnna, 4);
  Take(places, kBert, 2);
  EXPECT_FALSE(places.TryTake(kCarl));
  places.GiveBack(kBert);
  EXPECT_TRUE(places.TryTake(kCarl));
}

TEST(LoginPlacesTest, AUidsPatienceIsItsOwnAndComesBackWhenItsRushIsOver) {
  LoginPlaces places(10, 4);
  Take(places, kAnna, 4);
  Take(places, kBert, 4);
  EXPECT_EQ(places.PatienceLeft(kAnna), LoginPlaces::kPatience);
  places.HasWaited(kAnna, LoginPlaces::kPatience / 2);
  EXPECT_EQ(places.PatienceLeft(kAnna), LoginPlaces::kPatience / 2);
  places.HasWaited(kAnna, LoginPlaces::kPatience);
  EXPECT_EQ(places.PatienceLeft(kAnna), absl::ZeroDuration());
  EXPECT_EQ(places.PatienceLeft(kBert), LoginPlaces::kPatience);

  // A place now and then does not end a rush.
  places.GiveBack(kAnna);
  Take(places, kAnna, 1);
  EXPECT_EQ(places.PatienceLeft(kAnna), absl::ZeroDuration());
  places.GiveBack(kAnna);
  places.GiveBack(kAnna);
  Take(places, kAnna, 2);
  EXPECT_EQ(places.PatienceLeft(kAnna), LoginPlaces::kPatience);
}

TEST(LoginPlacesTest, WhereAllPlacesAreTakenThereIsOnePatience) {
  LoginPlaces places(6, 4);
  Take(places, kAnna, 3);
  Take(places, kBert, 3);
  places.HasWaited(kCarl, LoginPlaces::kPatience);
  EXPECT_EQ(places.PatienceLeft(kCarl), absl::ZeroDuration());
  EXPECT_EQ(places.PatienceLeft(kAnna), absl::ZeroDuration());
  for (int i = 0; i < 3; ++i) places.GiveBack(kBert);
  Take(places, kBert, 3);
  EXPECT_EQ(places.PatienceLeft(kCarl), LoginPlaces::kPatience);
}

TEST(LoginPlacesTest, AUidBeyondItsShareTakesFromItself) {
  LoginPlaces places(10, 4);
  Take(places, kAnna, 4);
  Take(places, kBert, 4);
  EXPECT_TRUE(places.MustYield(kAnna, kAnna));
  EXPECT_FALSE(places.MustYield(kBert, kAnna));
}

TEST(LoginPlacesTest, WhereAllPlacesAreTakenWhoHasMostYields) {
  LoginPlaces places(6, 4);
  Take(places, kAnna, 4);
  Take(places, kBert, 2);
  EXPECT_TRUE(places.MustYield(kAnna, kCarl));
  EXPECT_FALSE(places.MustYield(kBert, kCarl));
}

}  // namespace
}  // namespace ipc::testing
