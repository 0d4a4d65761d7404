#include "ipc_shm/testing/model_object.h"

#include <algorithm>
#include <functional>
#include <new>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace ipc {
inline namespace sluice_0 {
namespace testing {
namespace {

constexpr size_t kMostPieces = 100;

uint64_t Mix(uint64_t sum, uint64_t value) { return (sum ^ value) * 0x9e3779b97f4a7c15 + (sum >> 29); }

// The same in all processes of one program.
uint64_t SumOf(std::string_view text) { return Mix(text.size(), std::hash<std::string_view>()(text)); }

// No text of these looks like an address of a process, for which the audit of debug builds would take it.
char LetterOf(Random& random) { return static_cast<char>(0x80 + random() % 0x80); }

}  // namespace

ModelObject::ModelObject(uint64_t seed, size_t bytes) {
  Random random(seed);
  for (uint64_t& number : numbers_) number = random();
  numbers_sum_ = NumbersSum();
  text_.assign(bytes / 2, LetterOf(random));
  for (size_t at = 0; at < text_.size(); at += 1 + random() % 4096) text_[at] = LetterOf(random);
  size_t left = bytes - bytes / 2;
  for (size_t i = 0; left > 0 && i < kMostPieces; ++i) {
    const size_t piece = 1 + random() % left;
    left -= piece;
    if (i % 3 == 0) {
      pieces_[random()].assign(piece, LetterOf(random));
    } else {
      // Long enough to lie outside the key.
      auto& values = names_.try_emplace(shm::string(absl::StrCat("the name of number ", random() % 50))).first->second;
      values.emplace_back(piece, LetterOf(random));
    }
    queue_.push_back(random());
  }
  if (random() % 2 == 0) maybe_.emplace(bytes % 5000, LetterOf(random));
  containers_sum_ = ContainersSum();
  ++living_;
}

ModelObject::~ModelObject() {
  numbers_.fill(UINT64_MAX);
  numbers_sum_ = 0;
  containers_sum_ = 0;
  std::fill(text_.begin(), text_.end(), '\0');
  --living_;
}

bool ModelObject::IsGood() const { return numbers_sum_ == NumbersSum() && containers_sum_ == ContainersSum(); }

uint64_t ModelObject::NumbersSum() const {
  uint64_t sum = 1;
  for (const uint64_t number : numbers_) sum = Mix(sum, number);
  return sum;
}

uint64_t ModelObject::ContainersSum() const {
  uint64_t sum = SumOf(text_);
  for (const auto& [name, values] : names_) {
    sum = Mix(sum, SumOf(name));
    for (const shm::string& value : values) sum = Mix(sum, SumOf(value));
  }
  for (const auto& [number, piece] : pieces_) sum += Mix(number, SumOf(piece));  // In any order.
  for (const uint64_t number : queue_) sum = Mix(sum, number);
  return Mix(sum, maybe_.has_value() ? SumOf(*maybe_) : 7);
}

void ModelObject::ChangeContainers(Random& random) {
  try {
    Change(random);
  } catch (const std::bad_alloc&) {
  }
  containers_sum_ = ContainersSum();
}

void ModelObject::Change(Random& random) {
  switch (random() % 8) {
    case 0:
      text_.append(random() % 3000, LetterOf(random));
      break;
    case 1:
      text_.resize(text_.size() / 2);
      text_.shrink_to_fit();
      break;
    case 2:
      if (!names_.empty()) names_.erase(names_.begin());
      break;
    case 3:
      for (auto& [name, values] : names_) values.emplace_back(random() % 600, LetterOf(random));
      break;
    case 4:
      if (!pieces_.empty()) pieces_.erase(pieces_.begin());
      queue_.clear();
      break;
    case 5:
      for (int i = 0; i < 10; ++i) pieces_[random()].assign(random() % 2000, LetterOf(random));
      break;
    case 6:
      for (int i = 0; i < 200; ++i) queue_.push_back(random());
      break;
    default:
      if (maybe_.has_value()) {
        maybe_.reset();
      } else {
        maybe_.emplace(random() % 5000, LetterOf(random));
      }
  }
}

void ModelObject::ChangeNumbers(Random& random) {
  for (uint64_t& number : numbers_) number += random();
  numbers_sum_ = NumbersSum();
}

void ModelObject::RepairNumbers() { numbers_sum_ = NumbersSum(); }

}  // namespace testing
}  // namespace sluice_0
}  // namespace ipc
