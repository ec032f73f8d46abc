#include "model/registry.h"

#include <new>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "checkpoint/config_source.h"
#include "model/decoder/decoder.h"
#include "model/deepseek_v4/deepseek_v4.h"

namespace kvasir::model {
namespace {

using OpenModel = Result<std::unique_ptr<Model>> (*)(const std::string& directory,
                                                     const ConfigSource& config,
                                                     const ModelOptions& options);

struct Family {
  std::string_view name;
  bool (*runs)(const Json& config);
  OpenModel open;
};

constexpr Family kFamilies[] = {
    {"deepseek_v4", deepseek_v4::runs, deepseek_v4::open},
    {"decoder", decoder::runs, decoder::open},
};

std::string family_names() {
  std::string names;
  for (const Family& family : kFamilies)
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  return names;
}

std::string stated_type(const Json& config) {
  for (const std::string_view key : {"model_type", "general.architecture"}) {
    if (const Json* type = config.find(key)) return type->dump();
  }
  return "no model_type";
}

}  // namespace

LoadOptions load_options(const ModelOptions& options) {
  return {.context_tokens = options.context_tokens,
          .arithmetic = options.arithmetic,
          .panels_folder = options.panels_folder,
          .thread_count = options.thread_count};
}

Result<std::unique_ptr<Model>> open(const std::string& directory, const ModelOptions& options) {
  KVASIR_CHECK(options.table != nullptr && options.thread_count > 0, "kernels and threads");
  KVASIR_CHECK(options.pass_tokens_max > 0 && options.pass_tokens_max <= kPassTokensMax,
               "a pass that a user may ask for");
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource config, ConfigSource::open(directory));
  for (const Family& family : kFamilies) {
    if (!family.runs(config.root())) continue;
    // Starting threads and growing vectors are where loading may meet an exception.
    try {
      return family.open(directory, config, options);
    } catch (const std::system_error& error) {
      return Error{.kind = ErrorKind::kNoMemory,
                   .what = "cannot start the threads",
                   .field = "thread_count",
                   .expected = std::to_string(options.thread_count),
                   .found = error.what(),
                   .remedy = "ask for fewer threads"};
    } catch (const std::bad_alloc&) {
      return Error{.kind = ErrorKind::kNoMemory,
                   .what = "not enough memory for the working buffers of a pass"};
    }
  }
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "no family runs a model of this architecture",
               .where = config.where(),
               .expected = "one of " + family_names(),
               .found = stated_type(config.root())};
}

}  // namespace kvasir::model
