// Proves that no sleep of a ring's sender or receiver misses its wake-up, and that each order which the code relies on
// is needed: without it the search finds what goes wrong, so it would have found it.

#include <cstdlib>
#include <vector>

#include "gtest/gtest.h"
#include "ipc_transport/internal/model/sleep_model.h"

namespace ipc::internal {
namespace {

// Two lines hold one record: each record wants all the room, and the lines come round.
const Model kTwo = {.ring_lines = 2, .records = {1, 1}};
const Model kThree = {.ring_lines = 2, .records = {1, 1, 1}};
// The last record skips a line, and wants the room of both others, which the receiver gives back one by one.
const Model kSkipping = {.ring_lines = 4, .records = {1, 2, 2}};

Model InEventLoop(Model model) {
  model.event_loop = true;
  return model;
}
Model WithOtherPumps(Model model) {
  model.others_pump = true;
  return model;
}
Model PublishingEach(Model model) {
  model.publish_each = true;
  return model;
}
Model Patient(Model model) {
  model.is_patient = true;
  return model;
}
Model Weak(Model model, Weakening weakening) {
  model.weakening = weakening;
  return model;
}

// In calls and in event loops.
void ExpectFound(const Model& model, Weakening weakening, Failures failure) {
  for (const Model& tried : {model, InEventLoop(model)}) {
    EXPECT_EQ(Search(Weak(tried, weakening), failure).found, failure)
        << "weakening " << static_cast<int>(weakening) << (tried.event_loop ? " in an event loop" : " in a call");
  }
}

// With SLUICE_MODEL_LARGE set, also what takes a minute.
std::vector<Model> Models() {
  std::vector<Model> models = {kTwo, kSkipping, WithOtherPumps(kTwo), PublishingEach(kTwo), Patient(kTwo)};
  if (std::getenv("SLUICE_MODEL_LARGE") != nullptr) {
    models.push_back(kThree);
    for (const Model& model : {kThree, kSkipping}) {
      models.push_back(Patient(WithOtherPumps(model)));
      models.push_back(PublishingEach(WithOtherPumps(model)));
    }
  }
  return models;
}

TEST(SleepProtocolTest, NoWakeUpIsLostAndNoRecordBroken) {
  for (const Model& model : Models()) {
    for (const Model& tried : {model, InEventLoop(model)}) {
      const SearchResult result = Search(tried, kNone);
      EXPECT_EQ(result.found, kNone);
      EXPECT_GT(result.states, 20'000u);
    }
  }
}

// Each order between a store of one's own and a look at the other's: without it both may look before the other stores.
TEST(SleepProtocolTest, SequentialConsistencyIsNeeded) {
  for (const Weakening weakening :
       {Weakening::kCommitNotSeqCst, Weakening::kSleepLookNotSeqCst, Weakening::kSleepStoreNotSeqCst,
        Weakening::kRecheckNotSeqCst, Weakening::kPositionNotSeqCst, Weakening::kWishLookNotSeqCst,
        Weakening::kWishNotSeqCst, Weakening::kPositionLoadNotSeqCst}) {
    ExpectFound(kTwo, weakening, kLostWakeup);
  }
}

TEST(SleepProtocolTest, ReleaseAndAcquireAreNeeded) {
  ExpectFound(kTwo, Weakening::kCommitNotRelease, kBrokenRecord);
  ExpectFound(kTwo, Weakening::kCommitLoadNotAcquire, kBrokenRecord);
  ExpectFound(kSkipping, Weakening::kPositionNotRelease, kBrokenRecord);
  ExpectFound(kSkipping, Weakening::kSkipNotRelease, kBrokenRecord);
}

TEST(SleepProtocolTest, TheOrderOfStepsIsNeeded) {
  ExpectFound(kTwo, Weakening::kSleepStoreAfterRecheck, kLostWakeup);
  ExpectFound(kTwo, Weakening::kWishAfterRecheck, kLostWakeup);
  ExpectFound(WithOtherPumps(kTwo), Weakening::kTicketAfterRecheck, kLostWakeup);
  ExpectFound(kTwo, Weakening::kPumpAfterRecheck, kLostWakeup);
}

TEST(SleepProtocolTest, EveryStepIsNeeded) {
  ExpectFound(kSkipping, Weakening::kSleepsNotNumbered, kLostWakeup);
  ExpectFound(kSkipping, Weakening::kWishesNotNumbered, kLostWakeup);
  ExpectFound(kTwo, Weakening::kNoPublishWhenEmpty, kLostWakeup);
  ExpectFound(kTwo, Weakening::kFinishRingsNoDoorbell, kLostWakeup);
  ExpectFound(WithOtherPumps(kTwo), Weakening::kPumpInterruptsNobody, kLostWakeup);
}

TEST(SleepProtocolTest, TheseOrdersAreNotNeeded) {
  // The receiver acts on the finish only once its own position says that it has read all that comes before.
  for (const Weakening weakening : {Weakening::kFinishNotRelease, Weakening::kFinishLookNotAcquire}) {
    ExpectFound(WithOtherPumps(kTwo), weakening, kNone);
  }
  // The sleep word that the receiver stores next orders more than that.
  ExpectFound(WithOtherPumps(kTwo), Weakening::kTicketNotAcquire, kNone);
  // What the pump takes away came after what the re-check sees, whether the side is armed yet or not.
  ExpectFound(WithOtherPumps(kTwo), Weakening::kArmBeforePump, kNone);
}

}  // namespace
}  // namespace ipc::internal
