#include "server/admin_answers.h"

#include <optional>

#include "server/dialects/reuse_fields.h"
#include "server/field_reader.h"

namespace kvasir::server {
namespace {

// The server's own folder means nothing to who asks.
Result<std::string> path_in(const Json& body) {
  std::optional<Error> error;
  const FieldReader reader(body, "", error);
  std::string path = reader.string("path").value_or("");
  if (error) return *error;
  if (path.starts_with('/')) return path;
  return Error{.kind = ErrorKind::kUsage,
               .what = "no file named",
               .field = "path",
               .expected = "an absolute path"};
}

std::string report_json(const ImportReport& report) {
  return Json(Json::Object{{"key", report.key},
                           {"tokens", report.token_end},
                           {"records", report.records},
                           {"new_records", report.new_records},
                           {"bytes", report.bytes}})
      .dump();
}

}  // namespace

Result<std::string> export_body(const Served& served, const Json& body) {
  KVASIR_ASSIGN_OR_RETURN(const std::string path, path_in(body));
  std::optional<Error> error;
  const FieldReader reader(body, "", error);
  const std::string id = reader.string("response_id").value_or("");
  if (error) return *error;
  std::optional<KeptReply> reply;
  if (served.conversations) reply = served.conversations->find_of_any(without_id_prefix(id));
  if (!reply) {
    return Error{.kind = ErrorKind::kUsage, .what = "no such reply", .field = "response_id"};
  }
  KVASIR_ASSIGN_OR_RETURN(const ImportReport report,
                          served.service->engine().export_to(reply->key, path));
  return report_json(report);
}

Result<std::string> import_body(const Served& served, const Json& body) {
  KVASIR_ASSIGN_OR_RETURN(const std::string path, path_in(body));
  KVASIR_ASSIGN_OR_RETURN(const ImportReport report, served.service->engine().import_from(path));
  return report_json(report);
}

}  // namespace kvasir::server
