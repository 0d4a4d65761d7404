// Runs a fuzz target on its corpus, and on some thousand mutations of it that are the same each time.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace ipc::testing {
namespace {

using Input = std::vector<uint8_t>;

constexpr size_t kMutations = 2000;
constexpr size_t kMaxInputBytes = 4096;

absl::Duration slowest = absl::ZeroDuration();

std::vector<std::string> CorpusFiles() {
  const char* const files = std::getenv("SLUICE_FUZZ_CORPUS");
  return absl::StrSplit(files == nullptr ? "" : files, ' ', absl::SkipEmpty());
}

Input ReadInput(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return Input(std::istreambuf_iterator<char>(stream), {});
}

void RunTarget(const Input& input) {
  const absl::Time start = absl::Now();
  // A copy of the exact size, so that a read beyond it is seen.
  const Input copy = input;
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  slowest = std::max(slowest, absl::Now() - start);
}

// Changes a bit or a byte, takes some out, or puts some of another input in.
void Mutate(Input& input, const Input& other, std::minstd_rand& random) {
  const auto below = [&](size_t limit) { return static_cast<ptrdiff_t>(random() % limit); };
  const auto place = input.begin() + below(input.size() + 1);
  switch (below(4)) {
    case 0:
      if (place != input.end()) *place ^= static_cast<uint8_t>(1 << below(8));
      break;
    case 1:
      if (place != input.end()) *place = static_cast<uint8_t>(random());
      break;
    case 2:
      input.erase(place, place + std::min<ptrdiff_t>(input.end() - place, below(16)));
      break;
    case 3:
      input.insert(place, other.begin() + below(other.size() + 1), other.end());
      break;
  }
  if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
}

TEST(FuzzReplayTest, CorpusAndMutationsOfItPass) {
  std::vector<Input> corpus = {{}};
  for (const std::string& file : CorpusFiles()) {
    std::cout << "running " << file << std::endl;  // The last one is the culprit when the target ends the program.
    corpus.push_back(ReadInput(file));
    EXPECT_FALSE(corpus.back().empty());
    RunTarget(corpus.back());
  }
  ASSERT_GT(corpus.size(), 1u) << "SLUICE_FUZZ_CORPUS names no files";
  std::minstd_rand random(1);
  for (size_t i = 0; i < kMutations; ++i) {
    Input input = corpus[random() % corpus.size()];
    for (size_t changes = 1 + random() % 4; changes != 0; --changes) {
      Mutate(input, corpus[random() % corpus.size()], random);
    }
    RunTarget(input);
  }
  std::cout << "the slowest input took " << slowest << std::endl;
}

}  // namespace
}  // namespace ipc::testing
