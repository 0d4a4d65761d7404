#include "tools/ipcctl/listing.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "ipc_session/channel_options.h"
#include "ipc_session/internal/session_memory.h"
#include "ipc_session/internal/session_report.h"
#include "ipc_util/credentials.h"

namespace ipcctl {
namespace {

using ::ipc::internal::ChannelReport;
using ::ipc::internal::MemoryUsage;
using ::ipc::internal::SessionReport;
using ::ipc::internal::TrafficReport;

// Since the listing before.
struct Rates {
  double sent_messages = 0;
  double sent_bytes = 0;
  double received_messages = 0;
  double received_bytes = 0;
};

// The channel's counters of an earlier listing; null: it was not there.
const ChannelReport* Find(const Listing& listing, const Listing::Server& server, const SessionReport& session,
                          uint32_t id) {
  for (const Listing::Server& old_server : listing.servers) {
    if (old_server.socket != server.socket || old_server.answer.server != server.answer.server) continue;
    for (const SessionReport& old_session : old_server.answer.report.listed) {
      if (old_session.opened_unix_nanos != session.opened_unix_nanos ||
          old_session.peer.credentials != session.peer.credentials) {
        continue;
      }
      const auto found =
          absl::c_find_if(old_session.listed, [&](const ChannelReport& channel) { return channel.id == id; });
      if (found != old_session.listed.end()) return &*found;
    }
  }
  return nullptr;
}

std::optional<Rates> RatesOf(const Listing& listing, const Listing* before, const Listing::Server& server,
                             const SessionReport& session, const ChannelReport& channel) {
  if (before == nullptr || listing.taken_nanos <= before->taken_nanos) return std::nullopt;
  const ChannelReport* const old = Find(*before, server, session, channel.id);
  if (old == nullptr) return std::nullopt;
  const double seconds = (listing.taken_nanos - before->taken_nanos) / 1e9;
  // A server that lies about its counters gets a rate of zero.
  const auto rate = [&](uint64_t now, uint64_t then) { return now < then ? 0 : (now - then) / seconds; };
  return Rates{.sent_messages = rate(channel.sent.messages, old->sent.messages),
               .sent_bytes = rate(channel.sent.bytes, old->sent.bytes),
               .received_messages = rate(channel.received.messages, old->received.messages),
               .received_bytes = rate(channel.received.bytes, old->received.bytes)};
}

std::string Plural(uint64_t count, absl::string_view what) {
  return absl::StrCat(count, " ", what, count == 1 ? "" : "s");
}

absl::Time OpenedAt(const SessionReport& session) { return absl::FromUnixNanos(session.opened_unix_nanos); }

// Rows of the same number of cells, the first row being the head. Numbers end in a column; what is in the column of
// text begins there.
std::string Aligned(const std::vector<std::vector<std::string>>& rows, absl::string_view indent, size_t text_column) {
  std::vector<size_t> widths(rows[0].size());
  for (const std::vector<std::string>& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const std::vector<std::string>& row : rows) {
    std::string line(indent);
    for (size_t i = 0; i < row.size(); ++i) {
      const int width = static_cast<int>(widths[i]);
      absl::StrAppend(&line, i == 0 ? "" : "  ", absl::StrFormat("%*s", i == text_column ? -width : width, row[i]));
    }
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string PerSecond(double rate) { return absl::StrFormat("%.0f", rate); }

std::string ChannelTable(const Listing& listing, const Listing* before, const Listing::Server& server,
                         const SessionReport& session) {
  std::vector<std::vector<std::string>> rows = {{"channel", "pipe", "sent", "bytes", "full", "unread bytes",  //
                                                 "received", "bytes", "empty"}};
  if (before != nullptr) {
    for (const char* const head : {"sent/s", "bytes/s", "received/s", "bytes/s"}) rows[0].emplace_back(head);
  }
  for (const ChannelReport& channel : session.listed) {
    std::vector<std::string>& row = rows.emplace_back();
    row = {absl::StrCat(channel.id),
           std::string(Name(channel.pipe)),
           absl::StrCat(channel.sent.messages),
           absl::StrCat(channel.sent.bytes),
           absl::StrCat(channel.sent.refused),
           absl::StrCat(channel.unread_bytes),
           absl::StrCat(channel.received.messages),
           absl::StrCat(channel.received.bytes),
           absl::StrCat(channel.received.refused)};
    if (before == nullptr) continue;
    const std::optional<Rates> rates = RatesOf(listing, before, server, session, channel);
    if (!rates.has_value()) {
      row.insert(row.end(), 4, "-");
      continue;
    }
    for (const double rate :
         {rates->sent_messages, rates->sent_bytes, rates->received_messages, rates->received_bytes}) {
      row.push_back(PerSecond(rate));
    }
  }
  return Aligned(rows, "    ", 1);
}

// The first four are what the fifth is made of.
std::string ArenaTable(const MemoryUsage& arena) {
  std::vector<std::vector<std::string>> rows = {
      {"arena bytes", "allocated", "cached", "dirty", "fragmented", "committed", "limit"}, {""}};
  for (const uint64_t figure : {arena.allocated_bytes, arena.cached_bytes, arena.dirty_bytes, arena.fragmented_bytes,
                                arena.committed_bytes, arena.limit_bytes}) {
    rows[1].push_back(absl::StrCat(figure));
  }
  return Aligned(rows, "    ", 0);
}

std::string SessionLine(const SessionReport& session) {
  const ipc::Credentials& peer = session.peer.credentials;
  std::string line = absl::StrCat("  ", session.peer.app, ": pid ", peer.pid, ", uid ", peer.uid, ", since ",
                                  absl::FormatTime("%Y-%m-%d %H:%M:%S", OpenedAt(session), absl::LocalTimeZone()), ", ",
                                  Plural(session.channels, "channel"));
  if (session.memory.has_value()) {
    const MemoryUsage& arena = *session.memory;
    absl::StrAppend(&line, ", ", Plural(arena.blocks, "block"));
    if (arena.objects != 0) absl::StrAppend(&line, ", ", Plural(arena.objects, "object"));
    if (arena.loans_out != 0) absl::StrAppend(&line, ", ", Plural(arena.loans_out, "loan"), " out");
  }
  if (session.has_ended) absl::StrAppend(&line, ", has ended");
  return absl::StrCat(line, "\n");
}

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&json, "\\", absl::string_view(&c, 1));
    } else if (c < 0x20 || c == 0x7f) {  // Bytes above ASCII, too, one by one.
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      json.push_back(c);
    }
  }
  return absl::StrCat(json, "\"");
}

// Up to the last class that has any.
std::string SizesJson(const TrafficReport& traffic) {
  absl::Span<const uint64_t> sizes = traffic.sizes;
  while (!sizes.empty() && sizes.back() == 0) sizes.remove_suffix(1);
  return absl::StrCat("[", absl::StrJoin(sizes, ","), "]");
}

std::string TrafficJson(const TrafficReport& traffic, absl::string_view rates) {
  return absl::StrCat("{\"messages\":", traffic.messages, ",\"bytes\":", traffic.bytes,
                      ",\"refused\":", traffic.refused, ",\"spins\":", traffic.spins, ",\"sleeps\":", traffic.sleeps,
                      ",\"sizes\":", SizesJson(traffic), rates, "}");
}

std::string RatesJson(double messages, double bytes) {
  return absl::StrFormat(",\"messages_per_second\":%.1f,\"bytes_per_second\":%.1f", messages, bytes);
}

// `to_json` of each element, with commas between.
template <typename Elements, typename ToJson>
std::string JsonList(const Elements& elements, ToJson to_json) {
  std::string json = "[";
  for (const auto& element : elements) absl::StrAppend(&json, json.size() == 1 ? "" : ",", to_json(element));
  return absl::StrCat(json, "]");
}

std::string SessionJson(const SessionReport& session, absl::string_view channels) {
  const ipc::Credentials& peer = session.peer.credentials;
  const std::string arena =
      session.memory.has_value()
          ? absl::StrCat("{\"allocated_bytes\":", session.memory->allocated_bytes,
                         ",\"cached_bytes\":", session.memory->cached_bytes,
                         ",\"dirty_bytes\":", session.memory->dirty_bytes,
                         ",\"fragmented_bytes\":", session.memory->fragmented_bytes,
                         ",\"committed_bytes\":", session.memory->committed_bytes,
                         ",\"limit_bytes\":", session.memory->limit_bytes, ",\"blocks\":", session.memory->blocks,
                         ",\"objects\":", session.memory->objects, ",\"object_bytes\":", session.memory->object_bytes,
                         ",\"loans_out\":", session.memory->loans_out, "}")
          : "null";
  return absl::StrCat("{\"peer\":{\"app\":", JsonString(session.peer.app), ",\"pid\":", peer.pid, ",\"uid\":", peer.uid,
                      ",\"gid\":", peer.gid, "},\"opened_unix_nanos\":", session.opened_unix_nanos,
                      ",\"has_ended\":", session.has_ended ? "true" : "false", ",\"arena\":", arena,
                      ",\"channel_count\":", session.channels, ",\"channels\":", channels, "}");
}

std::string ProblemText(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return "does not answer: its program is not in Accept";
    case absl::StatusCode::kPermissionDenied:
      return absl::StrCat("this user may not ask it: ", status.message());
    default:
      return std::string(status.message());
  }
}

}  // namespace

std::string ToTable(const Listing& listing, const Listing* before) {
  std::string text;
  for (const Listing::Server& server : listing.servers) {
    const auto& [credentials, report] = server.answer;
    absl::StrAppend(&text, text.empty() ? "" : "\n", report.app, ": pid ", credentials.pid, ", uid ", credentials.uid,
                    ", ", Name(report.kind), " memory, ", Plural(report.sessions, "session"), ", ",
                    absl::Utf8SafeCEscape(server.socket), "\n");
    for (const SessionReport& session : report.listed) {
      absl::StrAppend(&text, SessionLine(session));
      if (session.memory.has_value()) absl::StrAppend(&text, ArenaTable(*session.memory));
      if (!session.listed.empty()) absl::StrAppend(&text, ChannelTable(listing, before, server, session));
      if (session.listed.size() < session.channels) {
        absl::StrAppend(&text, "    and ", Plural(session.channels - session.listed.size(), "more channel"), "\n");
      }
    }
    if (report.listed.size() < report.sessions) {
      absl::StrAppend(&text, "  and ", Plural(report.sessions - report.listed.size(), "more session"), "\n");
    }
  }
  return text;
}

std::string ToJson(const Listing& listing, const Listing* before) {
  const auto server_json = [&](const Listing::Server& server) {
    const auto& [credentials, report] = server.answer;
    const auto session_json = [&](const SessionReport& session) {
      const auto channel_json = [&](const ChannelReport& channel) {
        const std::optional<Rates> rates = RatesOf(listing, before, server, session, channel);
        const std::string sent = rates ? RatesJson(rates->sent_messages, rates->sent_bytes) : "";
        const std::string received = rates ? RatesJson(rates->received_messages, rates->received_bytes) : "";
        return absl::StrCat(
            "{\"id\":", channel.id, ",\"pipe\":\"", Name(channel.pipe), "\",\"sent\":", TrafficJson(channel.sent, sent),
            ",\"received\":", TrafficJson(channel.received, received), ",\"unread_bytes\":", channel.unread_bytes, "}");
      };
      return SessionJson(session, JsonList(session.listed, channel_json));
    };
    return absl::StrCat("{\"app\":", JsonString(report.app), ",\"socket\":", JsonString(server.socket),
                        ",\"pid\":", credentials.pid, ",\"uid\":", credentials.uid, ",\"gid\":", credentials.gid,
                        ",\"memory\":\"", Name(report.kind), "\",\"session_count\":", report.sessions,
                        ",\"sessions\":", JsonList(report.listed, session_json), "}");
  };
  const auto problem_json = [](const Listing::Problem& problem) {
    return absl::StrCat("{\"path\":", JsonString(problem.path),
                        ",\"code\":", JsonString(absl::StatusCodeToString(problem.status.code())),
                        ",\"text\":", JsonString(ProblemText(problem.status)), "}");
  };
  return absl::StrCat("{\"servers\":", JsonList(listing.servers, server_json),
                      ",\"problems\":", JsonList(listing.problems, problem_json), "}\n");
}

std::string ProblemsOf(const Listing& listing) {
  std::string text;
  for (const Listing::Problem& problem : listing.problems) {
    absl::StrAppend(&text, "ipcctl: ", absl::Utf8SafeCEscape(problem.path), ": ",
                    absl::Utf8SafeCEscape(ProblemText(problem.status)), "\n");
  }
  if (listing.servers.empty() && listing.problems.empty()) text = "ipcctl: there is no live server\n";
  return text;
}

int ExitCodeOf(const Listing& listing) {
  const auto denied = [](const Listing::Problem& problem) { return absl::IsPermissionDenied(problem.status); };
  if (absl::c_any_of(listing.problems, denied)) return 3;
  if (!listing.problems.empty()) return 4;
  return listing.servers.empty() ? 1 : 0;
}

}  // namespace ipcctl
