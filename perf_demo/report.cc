#include "perf_demo/report.h"

#include <algorithm>
#include <cstddef>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "ipc_transport/pipe.h"
#include "perf_demo/sizes.h"

namespace cache_demo {
namespace {

using Row = std::vector<std::string>;

// Columns as wide as their widest cell; the first `left_columns` lean left, the rest right.
std::string Align(const std::vector<Row>& rows, size_t left_columns) {
  std::vector<size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      absl::StrAppend(&line, i == 0 ? "" : "  ", i < left_columns ? row[i] + padding : padding + row[i]);
    }
    absl::StrAppend(&text, line.substr(0, line.find_last_not_of(' ') + 1), "\n");
  }
  return text;
}

// The size where that is the name.
std::string FileLabel(const Result& result) {
  const std::string size = FormatSize(result.bytes);
  return result.file == size ? size : absl::StrCat(result.file, " (", size, ")");
}

std::string RoundTrips(const Report& report) {
  std::vector<Row> rows = {{"mode", "file", "p50", "p99", "max", "iterations"}};
  for (const Result& result : report.results) {
    rows.push_back({std::string(Name(result.mode)), FileLabel(result), FormatNanos(result.p50_ns),
                    FormatNanos(result.p99_ns), FormatNanos(result.max_ns), absl::StrCat(result.iterations)});
  }
  return Align(rows, 1);
}

std::string NotInRoundTrips(const Report& report) {
  const bool all = !report.results.empty() && report.results[0].verify == Verify::kAll;
  std::vector<Row> rows = {{"mode", "file", "server builds it", "first read", "read again",
                            all ? "hash all parts" : "hash first part", "server memory", "client memory"}};
  const auto memory = [](uint64_t private_bytes, uint64_t shared_bytes) {
    constexpr uint64_t kMegabyte = 1'000'000;
    return absl::StrFormat("%d + %d MB", private_bytes / kMegabyte, shared_bytes / kMegabyte);
  };
  for (const Result& result : report.results) {
    rows.push_back({std::string(Name(result.mode)), FileLabel(result), FormatNanos(result.build_ns),
                    FormatNanos(result.first_read_ns), FormatNanos(result.read_all_ns), FormatNanos(result.verify_ns),
                    memory(result.server_private_bytes, result.server_shared_bytes),
                    memory(result.client_private_bytes, result.client_shared_bytes)});
  }
  return Align(rows, 1);
}

// The result of `mode` with a file as large as `like`'s, or null.
const Result* Find(const Report& report, Mode mode, const Result& like) {
  const auto found = absl::c_find_if(
      report.results, [&](const Result& result) { return result.mode == mode && result.file == like.file; });
  return found == report.results.end() ? nullptr : &*found;
}

std::string FormatRatio(uint64_t numerator, uint64_t denominator) {
  const double ratio = static_cast<double>(numerator) / static_cast<double>(std::max<uint64_t>(denominator, 1));
  if (ratio < 100) return absl::StrFormat("%.2f", ratio);
  const std::string digits = absl::StrFormat("%.0f", ratio);
  std::string groups;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) groups += ' ';
    groups += digits[i];
  }
  return groups;
}

// Of p50: how much longer the baseline takes for the largest file, and how the largest compares with the smallest.
std::string Ratios(const Report& report) {
  if (report.results.empty()) return "";
  const auto by_bytes = [](const Result& a, const Result& b) { return a.bytes < b.bytes; };
  const Result& smallest = *absl::c_min_element(report.results, by_bytes);
  const Result& largest = *absl::c_max_element(report.results, by_bytes);
  const Result* const baseline = Find(report, Mode::kSocket, largest);
  std::vector<Row> gains;
  std::vector<Row> growths;
  for (const Mode mode : {Mode::kClassic, Mode::kJemalloc}) {
    const Result* const large = Find(report, mode, largest);
    const Result* const small = Find(report, mode, smallest);
    if (large == nullptr || small == nullptr) continue;
    if (baseline != nullptr) {
      gains.push_back({absl::StrCat("socket / ", Name(mode), ", ", FileLabel(largest)),
                       FormatRatio(baseline->p50_ns, large->p50_ns)});
    }
    if (large != small) {
      growths.push_back({absl::StrCat(FileLabel(largest), " / ", FileLabel(smallest), ", ", Name(mode)),
                         FormatRatio(large->p50_ns, small->p50_ns)});
    }
  }
  gains.insert(gains.end(), growths.begin(), growths.end());
  return gains.empty() ? "" : absl::StrCat("\nRatios of p50:\n", Align(gains, 1));
}

std::string Headline(const Report& report) {
  const Machine& machine = report.machine;
  const absl::string_view wait = report.results.empty() ? "" : Name(report.results[0].wait);
  std::string text =
      absl::StrFormat("%d x %s, %d MB of memory, %s; wait: %s; cores: %s\n", machine.processors, machine.processor,
                      machine.memory_bytes / 1'000'000, machine.kernel, wait, Name(report.cores));
  if (!machine.is_optimised)
    absl::StrAppend(&text, "This build is not optimised, or sanitized: its figures mean little.\n");
  return text;
}

std::string Quoted(absl::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&result, "\\u%04x", c);
    } else {
      result += c;
    }
  }
  return result + "\"";
}

std::string ToJson(const Machine& machine) {
  return absl::StrCat("{\"processor\":", Quoted(machine.processor), ",\"processors\":", machine.processors,
                      ",\"memory_bytes\":", machine.memory_bytes, ",\"kernel\":", Quoted(machine.kernel),
                      ",\"shmem_huge_pages\":", Quoted(machine.shmem_huge_pages),
                      ",\"optimised\":", machine.is_optimised ? "true" : "false", "}");
}

std::string ToJson(const Result& result, Cores cores) {
  return absl::StrCat("{\"mode\":", Quoted(Name(result.mode)), ",\"bytes\":", result.bytes,
                      ",\"wait\":", Quoted(Name(result.wait)), ",\"iterations\":", result.iterations,
                      ",\"p50_ns\":", result.p50_ns, ",\"p99_ns\":", result.p99_ns, ",\"max_ns\":", result.max_ns,
                      ",\"build_ns\":", result.build_ns, ",\"verified\":true,",
                      "\"verify\":", Quoted(Name(result.verify)), ",\"file\":", Quoted(result.file),
                      ",\"first_read_ns\":", result.first_read_ns, ",\"read_all_ns\":", result.read_all_ns,
                      ",\"verify_ns\":", result.verify_ns, ",\"server_private_bytes\":", result.server_private_bytes,
                      ",\"server_shared_bytes\":", result.server_shared_bytes,
                      ",\"client_private_bytes\":", result.client_private_bytes,
                      ",\"client_shared_bytes\":", result.client_shared_bytes, ",\"cores\":", Quoted(Name(cores)), "}");
}

}  // namespace

std::string ToTable(const Report& report) {
  return absl::StrCat(Headline(report),
                      "\nRound trip, from before the request is built to after the first part's hash is compared:\n",
                      RoundTrips(report), "\nNot in the round trip, each once; memory: private + shared:\n",
                      NotInRoundTrips(report), Ratios(report));
}

std::string ToJson(const Report& report) {
  std::string text = absl::StrCat("{\"machine\":", ToJson(report.machine), ",\"results\":[");
  for (const Result& result : report.results) {
    absl::StrAppend(&text, absl::EndsWith(text, "[") ? "\n" : ",\n", ToJson(result, report.cores));
  }
  return absl::StrCat(text, "\n]}\n");
}

std::string ToTsv(const Report& report) {
  std::string text = TsvHeader();
  for (const Result& result : report.results) absl::StrAppend(&text, ToTsvRow(result));
  return text;
}

std::string FormatNanos(uint64_t nanos) {
  struct Unit {
    double nanos;
    absl::string_view name;
  };
  constexpr Unit kUnits[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}};
  // What rounds to 1000 of a unit is 1.00 of the next.
  for (const Unit& unit : kUnits) {
    const double value = static_cast<double>(nanos) / unit.nanos;
    if (value < 0.9995) continue;
    const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return absl::StrFormat("%.*f %s", decimals, value, unit.name);
  }
  return absl::StrCat(nanos, " ns");
}

}  // namespace cache_demo
