#include "cli/remote_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "cli/duration.h"
#include "cli/size.h"

namespace kvasir::cli {
namespace {

constexpr size_t kKeyDigits = 10;

Json to_json(const RemoteObjects& objects) {
  return Json(Json::Object{{"objects", objects.count}, {"bytes", objects.bytes}});
}

Json bytes_or_null(int64_t bytes) { return bytes < 0 ? Json() : Json(bytes); }

int64_t age_s(const RemoteRun& run, int64_t now_s) {
  return std::max<int64_t>(0, now_s - run.written_s);
}

std::string count_text(const RemoteObjects& objects) {
  return fmt::format("{} objects, {}", objects.count, size_text(objects.bytes));
}

std::string foreign_line(const RemoteObjects& foreign, std::string_view what) {
  return foreign.count == 0 ? "" : fmt::format("  of others: {}{}\n", count_text(foreign), what);
}

}  // namespace

// ---- JSON ---------------------------------------------------------------------------------------

Json::Object json_of(const RemoteSummary& summary) {
  Json::Array advice;
  for (const Error& one : summary.advice) advice.emplace_back(one.message());
  return {{"version", summary.version},
          {"used_bytes", bytes_or_null(summary.used_bytes)},
          {"limit_bytes", bytes_or_null(summary.limit_bytes)},
          {"blocks", to_json(summary.blocks)},
          {"states", to_json(summary.states)},
          {"packs", to_json(summary.packs)},
          {"advice", std::move(advice)}};
}

Json::Object json_of(const RemoteListing& listing, int64_t now_s) {
  Json::Array runs;
  runs.reserve(listing.runs.size());
  for (const RemoteRun& run : listing.runs) {
    Json::Array states;
    for (const int64_t position : run.states) states.emplace_back(position);
    runs.emplace_back(Json::Object{{"key", run.key},
                                   {"parent", run.parent},
                                   {"model", run.model},
                                   {"token_begin", run.token_begin},
                                   {"token_end", run.token_end},
                                   {"bytes", run.bytes},
                                   {"states", std::move(states)},
                                   {"age_s", age_s(run, now_s)}});
  }
  return {{"runs", std::move(runs)},
          {"foreign", to_json(listing.foreign)},
          {"wrong", to_json(listing.wrong)},
          {"unreadable", to_json(listing.unreadable)}};
}

Json::Object json_of(const RemoteRemoval& removal) {
  return {{"removed", to_json(removal.removed)},
          {"left_objects", removal.left_objects},
          {"reason", removal.reason},
          {"foreign", to_json(removal.foreign)}};
}

Json::Object json_of(const RemoteCheck& check) {
  Json::Array wrong;
  for (const RemoteFault& fault : check.wrong) {
    wrong.emplace_back(Json::Object{{"name", fault.name},
                                    {"bytes", fault.bytes},
                                    {"expected", fault.expected},
                                    {"found", fault.found}});
  }
  Json::Array unreadable;
  for (const RemoteName& one : check.unreadable) {
    unreadable.emplace_back(Json::Object{{"name", one.name}, {"bytes", one.bytes}});
  }
  return {{"right", to_json(check.right)},
          {"foreign", to_json(check.foreign)},
          {"wrong", std::move(wrong)},
          {"unreadable", std::move(unreadable)},
          {"repair", check.repair ? Json(json_of(*check.repair)) : Json()}};
}

Json to_json(const std::vector<RemoteRemoval>& removals) {
  Json::Array array;
  for (const RemoteRemoval& removal : removals) {
    Json::Object object = json_of(removal);
    object.emplace(object.begin(), "engine", removal.label);
    array.emplace_back(std::move(object));
  }
  return Json(std::move(array));
}

// ---- text ---------------------------------------------------------------------------------------

std::string text_of(const RemoteSummary& summary) {
  std::string text = "  " + (summary.version.empty() ? "an engine" : summary.version);
  if (summary.used_bytes >= 0) text += ", uses " + size_text(summary.used_bytes);
  if (summary.limit_bytes > 0) text += " of " + size_text(summary.limit_bytes);
  text += "\n";
  const auto add = [&](const char* name, const RemoteObjects& objects) {
    text += fmt::format("  {:<8} {:>10} {:>12}\n", name, objects.count, size_text(objects.bytes));
  };
  add("blocks", summary.blocks);
  add("states", summary.states);
  add("packs", summary.packs);
  for (const Error& one : summary.advice) text += "  advice: " + one.message() + "\n";
  return text;
}

std::string text_of(const RemoteListing& listing, int64_t now_s) {
  std::vector<RemoteRun> runs = listing.runs;
  std::ranges::stable_sort(runs, {}, &RemoteRun::model);
  std::string text = runs.empty() ? "  nothing of this group's\n" : "";
  std::string model;
  for (const RemoteRun& run : runs) {
    if (run.model != model) text += "  model " + run.model + "\n";
    model = run.model;
    text += fmt::format("    {}  tokens {:>9} to {:>9}  {:>10}  {:>3} states  {} ago\n",
                        run.key.substr(0, kKeyDigits), run.token_begin, run.token_end,
                        size_text(run.bytes), run.states.size(), duration_text(age_s(run, now_s)));
  }
  text += foreign_line(listing.foreign, "");
  if (listing.wrong.count > 0) text += "  wrong: " + count_text(listing.wrong) + "\n";
  if (listing.unreadable.count > 0) {
    text += "  cannot be read: " + count_text(listing.unreadable) + "\n";
  }
  return text;
}

std::string text_of(const RemoteRemoval& removal) {
  std::string text = "  removed: " + count_text(removal.removed) + "\n";
  if (removal.left_objects > 0) {
    text += fmt::format("  perhaps still there: {} objects\n", removal.left_objects);
  }
  return text + foreign_line(removal.foreign, ", left alone");
}

std::string text_of(const RemoteCheck& check) {
  std::string text;
  for (const RemoteFault& fault : check.wrong) {
    text += fmt::format("  wrong: {}, {}: expected {}, found {}\n", fault.name,
                        size_text(fault.bytes), fault.expected, fault.found);
  }
  for (const RemoteName& one : check.unreadable) {
    text += fmt::format("  cannot be read: {}, {}\n", one.name, size_text(one.bytes));
  }
  text += fmt::format("  right: {}\n", count_text(check.right));
  text += foreign_line(check.foreign, ", or such as the secret does not open");
  return check.repair ? text + text_of(*check.repair) : text;
}

Status check_removed(const RemoteRemoval& removal) {
  if (removal.left_objects == 0) return ok_status();
  return Error{.kind = ErrorKind::kIo,
               .what = "objects may still be at the remote engine",
               .where = removal.label,
               .expected = "none",
               .found = std::to_string(removal.left_objects),
               .remedy = removal.reason};
}

}  // namespace kvasir::cli
