#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "doc_tables.h"
#include "source_tree.h"

namespace kvasir {
namespace {

// WHO MAY INCLUDE WHOM. The left one may use those on the right: a module with all its headers, one
// header of a module, or `public`, the headers of include/kvasir. Everyone may use itself, base,
// kvasir/result.h and the public header of its own name (plan: kvasir/plan.h).
struct Rule {
  std::string_view module;
  std::string_view may_use;
};
constexpr Rule kRules[] = {
    {"base", ""},
    {"numeric", ""},
    {"store", "kvasir/histogram.h kvasir/remote.h"},
    {"kernels", "numeric"},
    {"checkpoint", "kernels numeric"},
    {"text",
     "kvasir/conversation.h checkpoint/checkpoint_place.h checkpoint/gguf.h "
     "checkpoint/gguf_file.h"},
    {"grammar", ""},
    {"kv", "kernels numeric"},
    {"calibration", "kernels numeric kv kvasir/study.h"},
    {"persist",
     "kv store kvasir/remote.h kvasir/remote_admin.h kvasir/store.h kvasir/store_admin.h"},
    {"ops", "kernels numeric kv kvasir/pass_meter.h"},
    {"model", "ops kernels kv checkpoint numeric kvasir/study.h"},
    {"plan",
     "kv checkpoint model/model.h model/deepseek_v4/config.h model/deepseek_v4/geometry.h "
     "model/deepseek_v4/workspace.h model/deepseek_v4/footprint.h model/decoder/config.h "
     "model/decoder/geometry.h model/decoder/footprint.h persist/footprint.h"},
    {"replay", "kvasir/conversation.h kvasir/conversations.h"},
    {"engine",
     "public model persist text grammar kv calibration kernels/instruction_sets.h "
     "numeric/elementary.h"},
    {"bench", "public ops kernels numeric kv store persist model/deepseek_v4/geometry.h"},
    {"server", "public"},
    {"eval", "public"},
    {"cli", "public plan bench eval server"},
};

// THIRD PARTIES. A header of the library on the left may be included only under the paths on the
// right, a file or a folder; `tests` are tests/ and the *_test.cc and test_support.h files.
struct Confined {
  std::string_view library;
  std::string_view paths;
};
constexpr Confined kConfined[] = {
    {"nlohmann/", "src/base/json.cc"},
    {"CLI/", "src/cli/command_line.cc"},
    {"xxhash.h", "src/base/digest.cc"},
    {"openssl/", "src/base/digest.cc src/base/sealing.cc src/store/remote/tls_stream.cc"},
    {"sqlite3.h", "src/base/sqlite.cc src/store/catalog_test.cc"},
    {"liburing.h", "src/store/uring_reader.cc"},
    {"curl/", "src/store/remote/s3/http_connection.cc"},
    {"expat.h", "src/store/remote/s3/list_xml.cc"},
    {"gtest/", "tests"},
    {"gmock/", "tests"},
    {"utf8proc", "src/text/nfc.cc"},
    {"Eigen/", "src/calibration/principal_axes.cc"},
    {"boost/", "src/server/http_server.cc src/server/request_reader.cc"},
    {"arpa/", "src/server/ tests"},
    {"netinet/",
     "src/server/listening_socket.cc src/store/remote/socket_stream.cc bench/serve/load_client.cc "
     "tests"},
    {"fmt/", "src/ bench/ tests"},
    {"sanitizer/", "src/base/memory_region.cc"},
    {"sys/", "src/ bench/ tests"},
    {"linux/", "src/ bench/ tests"},
};
constexpr std::string_view kProcessorFolders = "src/kernels/x86/";

// Inside the files that are compiled for an instruction set: what a standard header or an inline
// function defines there is compiled with wide-vector flags, and if the linker keeps that copy, an
// old processor crashes.
constexpr std::string_view kInstructionSetFolders =
    "src/kernels/simd/ src/kernels/x86/ src/kernels/portable/";
constexpr std::string_view kAllowedInInstructionSets[] = {
    "cfloat", "cmath", "cpuid.h", "cstddef", "cstdint", "cstring", "immintrin.h", "limits",
};

// Design walls: these see bytes in memory, never a file.
constexpr std::string_view kModulesWithoutFiles = "numeric kernels kv ops model plan";
constexpr std::string_view kFileHeaders[] = {
    "fcntl.h", "filesystem", "fstream", "sys/mman.h", "sys/stat.h", "unistd.h",
};

bool list_has(std::string_view list, std::string_view word) {
  std::istringstream words{std::string(list)};
  for (std::string one; words >> one;) {
    if (one == word) return true;
  }
  return false;
}

const Rule* rule_of(std::string_view module) {
  const auto* rule = std::find_if(std::begin(kRules), std::end(kRules),
                                  [&](const Rule& one) { return one.module == module; });
  return rule == std::end(kRules) ? nullptr : rule;
}

// "src/kernels/x86/avx2.cc" -> "kernels", "bench/x.cc" -> "bench", "include/..." -> "public".
std::string module_of(std::string_view path) {
  if (path.starts_with("include/")) return "public";
  if (path.starts_with("src/")) path.remove_prefix(4);
  return std::string(path.substr(0, path.find('/')));
}

bool is_under(const SourceFile& file, std::string_view paths) {
  if (list_has(paths, "tests") && (file.is_test() || file.path.ends_with("test_support.h"))) {
    return true;
  }
  std::istringstream words{std::string(paths)};
  for (std::string path; words >> path;) {
    if (path.ends_with('/') ? file.path.starts_with(path) : file.path == path) return true;
  }
  return false;
}

std::string check_project_include(const std::string& module, const std::string& target) {
  const size_t slash = target.find('/');
  if (module == "bench" && slash == std::string::npos) return "";  // beside the including file
  if (slash == std::string::npos || target.find("..") != std::string::npos) {
    return "write the include from its module: \"module/header.h\"";
  }
  const std::string used = target.substr(0, slash);
  if (used == "kvasir") {
    const Rule* rule = rule_of(module);
    const bool is_allowed =
        module == "public" || target == "kvasir/result.h" || target == "kvasir/" + module + ".h" ||
        (rule != nullptr && (list_has(rule->may_use, "public") || list_has(rule->may_use, target)));
    return is_allowed ? "" : module + " may not use the public header " + target;
  }
  if (module == "public") return "a public header shows nothing of src/";
  const Rule* rule = rule_of(module);
  if (rule == nullptr) return "unknown module " + module + ": give it a line in kRules";
  if (rule_of(used) == nullptr) return "includes unknown module " + used;
  const bool is_allowed = used == module || used == "base" || list_has(rule->may_use, used) ||
                          list_has(rule->may_use, target);
  return is_allowed ? "" : module + " may not use " + target;
}

std::string check_library_include(const SourceFile& file, const std::string& module,
                                  const std::string& target) {
  if (target.ends_with("intrin.h") && !is_under(file, kProcessorFolders)) {
    return target + " belongs to " + std::string(kProcessorFolders);
  }
  const bool sees_no_file = list_has(kModulesWithoutFiles, module) && !file.is_test();
  if (sees_no_file && std::ranges::count(kFileHeaders, target) > 0) {
    return module + " never sees a file, so no " + target;
  }
  if (is_under(file, kInstructionSetFolders) && !file.is_test() &&
      std::ranges::count(kAllowedInInstructionSets, target) == 0) {
    return target + " may define functions that other files share; see kAllowedInInstructionSets";
  }
  for (const Confined& one : kConfined) {
    if (!target.starts_with(one.library)) continue;
    if (is_under(file, one.paths)) return "";
    return target + " may be included only in: " + std::string(one.paths);
  }
  if (target.find('/') == std::string::npos) return "";
  if (module == "public") return "public headers include only the standard library";
  return "unknown library header " + target + ": give it a line in kConfined";
}

// The helpers in tests/ (checkpoint_maker.h) are for unit tests too.
bool is_test_helper(const std::string& target) {
  return std::ranges::any_of(project_files(), [&](const SourceFile& file) {
    return file.path == "tests/" + target && target.ends_with(".h");
  });
}

std::vector<std::string> violations(const SourceFile& file) {
  const std::string module = module_of(file.path);
  const bool crosses_modules = module == "tests" || module == "fuzz";
  const bool is_for_tests = file.is_test() || file.path.ends_with("test_support.h");
  std::vector<std::string> found;
  for (const Include& include : includes_of(file.text)) {
    std::string message;
    if (!include.is_quoted) {
      message = check_library_include(file, module, include.target);
    } else if (!crosses_modules && !(is_for_tests && is_test_helper(include.target))) {
      message = check_project_include(module, include.target);
    }
    if (!message.empty()) found.push_back(finding(file, include.line, message));
  }
  return found;
}

TEST(IncludeRules, TheTreeKeepsThem) {
  std::vector<std::string> found;
  for (const SourceFile& file : project_files()) {
    if (!file.is_cpp()) continue;
    for (const std::string& one : violations(file)) found.push_back(one);
  }
  EXPECT_TRUE(found.empty()) << joined(found);
}

TEST(IncludeRules, TheTreeIsSeen) {
  const auto is_there = [](std::string_view path) {
    return std::ranges::any_of(project_files(),
                               [&](const SourceFile& file) { return file.path == path; });
  };
  EXPECT_TRUE(is_there("src/base/json.cc"));
  EXPECT_TRUE(is_there("include/kvasir/result.h"));
}

// The table lists a module after everything it uses, which is only possible without a cycle. An
// include of the engine's public headers counts as a use of the engine.
TEST(IncludeRules, TheTableHasNoCycle) {
  std::set<std::string, std::less<>> earlier;
  for (const Rule& rule : kRules) {
    std::istringstream words{std::string(rule.may_use)};
    for (std::string used; words >> used;) {
      used = used.substr(0, used.find('/'));
      if (used == "kvasir") continue;  // one public header
      if (used == "public") used = rule.module == "engine" ? "base" : "engine";
      EXPECT_TRUE(earlier.contains(used)) << rule.module << " uses " << used;
    }
    earlier.emplace(rule.module);
  }
}

std::set<std::string> words_of(std::string_view list) {
  std::istringstream words{std::string(list)};
  return {std::istream_iterator<std::string>(words), {}};
}

// "`src/kv/`" -> "kv", "`bench/`" -> "bench".
std::string module_of_cell(const std::string& cell) { return module_of(backquoted(cell).front()); }

using RulesByModule = std::map<std::string, std::set<std::string>>;

TEST(IncludeRules, TheArchitecturePageSaysTheSame) {
  RulesByModule rules;
  for (const Rule& rule : kRules) rules[std::string(rule.module)] = words_of(rule.may_use);
  RulesByModule page;
  for (const DocRow& row : doc_table("docs/architecture.md", "include rules")) {
    const auto words = backquoted(row.at(2));
    page[module_of_cell(row.at(0))] = {words.begin(), words.end()};
  }
  EXPECT_EQ(page, rules);
}

size_t count_violations(const std::string& path, const std::string& include) {
  return violations(SourceFile{path, "// A file.\n" + include + "\n"}).size();
}

TEST(IncludeRules, WrongDirectionsAreCaught) {
  const std::pair<const char*, const char*> kWrong[] = {
      {"src/kernels/top_k.cc", "#include \"model/model.h\""},
      {"src/kernels/ref/ref.cc", "#include \"kv/layout.h\""},
      {"src/kv/block.h", "#include \"store/record.h\""},
      {"src/ops/ops.h", "#include \"model/model.h\""},
      {"src/kernels/kernels.h", "#include \"ops/view.h\""},
      {"src/store/record.cc", "#include \"kernels/kernels.h\""},
      {"src/text/bpe.cc", "  #  include \"checkpoint/config_source.h\""},
      {"src/cli/run.cc", "#include \"engine/engine_state.h\""},
      {"src/cli/run.cc", "#include \"model/model.h\""},
      {"src/engine/engine.cc", "#include \"kernels/weight_matrix.h\""},
      {"src/model/registry.cc", "#include \"kvasir/engine.h\""},
      {"include/kvasir/engine.h", "#include \"base/json.h\""},
      {"src/base/json.cc", "#include \"check.h\""},
      {"src/base/json.cc", "#include \"../base/check.h\""},
      {"src/newcomer/a.cc", "#include \"kernels/kernels.h\""},
      {"src/model/registry.cc", "#include \"newcomer/a.h\""},
      {"src/checkpoint/tensor_reader.cc", "#include \"checkpoint_maker.h\""},
  };
  for (const auto& [path, include] : kWrong) {
    EXPECT_EQ(count_violations(path, include), 1u) << path << ": " << include;
  }
}

TEST(IncludeRules, RightDirectionsPass) {
  const std::pair<const char*, const char*> kRight[] = {
      {"src/kernels/x86/avx2.cc", "#include \"numeric/fp8.h\""},
      {"src/kernels/kernels_test.cc", "#include \"kernels/kernels.h\""},
      {"src/model/deepseek_v4/deepseek_v4.cc", "#include \"checkpoint/tensor_reader.h\""},
      {"src/plan/plan.cc", "#include \"kvasir/plan.h\""},
      {"src/engine/engine.cc", "#include \"kernels/instruction_sets.h\""},
      {"src/cli/run.cc", "#include \"kvasir/engine.h\""},
      {"bench/kernels.cc", "#include \"timer.h\""},
      {"src/text/bpe.cc", "#include \"base/check.h\""},
      {"src/model/deepseek_v4/attention.cc", "#include \"ops/ops.h\""},
      {"src/ops/cpu/pick.cc", "#include \"kv/index_scan.h\""},
      {"include/kvasir/engine.h", "#include \"kvasir/result.h\""},
      {"tests/golden_test.cc", "#include \"model/model.h\""},
      {"src/text/bpe.cc", "// #include \"kv/layout.h\""},
      {"src/checkpoint/tensor_reader_test.cc", "#include \"checkpoint_maker.h\""},
  };
  for (const auto& [path, include] : kRight) {
    EXPECT_EQ(count_violations(path, include), 0u) << path << ": " << include;
  }
}

TEST(IncludeRules, LibrariesAreConfined) {
  const std::tuple<const char*, const char*, size_t> kCases[] = {
      {"src/base/json.cc", "#include <nlohmann/json.hpp>", 0},
      {"src/base/json.h", "#include <nlohmann/json.hpp>", 1},
      {"src/checkpoint/config_source.cc", "#include <nlohmann/json.hpp>", 1},
      {"src/cli/command_line.cc", "#include <CLI/CLI.hpp>", 0},
      {"src/cli/main.cc", "#include <CLI/CLI.hpp>", 1},
      {"src/engine/engine.cc", "#include <CLI/CLI.hpp>", 1},
      {"src/kv/layout_test.cc", "#include <gtest/gtest.h>", 0},
      {"src/kernels/test_support.h", "#include <gtest/gtest.h>", 0},
      {"src/kv/layout.cc", "#include <gtest/gtest.h>", 1},
      {"src/kv/layout.cc", "#include <fmt/format.h>", 0},
      {"include/kvasir/engine.h", "#include <fmt/format.h>", 1},
      {"include/kvasir/engine.h", "#include <vector>", 0},
      {"src/kernels/x86/avx2.cc", "#include <immintrin.h>", 0},
      {"src/kernels/top_k.cc", "#include <immintrin.h>", 1},
      {"src/kernels/simd/math-inl.h", "#include <immintrin.h>", 1},
      {"src/kernels/simd/math-inl.h", "#include <algorithm>", 1},
      {"src/kernels/x86/avx2.cc", "#include <algorithm>", 1},
      {"src/checkpoint/mapped_file.cc", "#include <sys/mman.h>", 0},
      {"src/kv/block.cc", "#include <fstream>", 1},
      {"src/kv/block_test.cc", "#include <fstream>", 0},
      {"src/text/bpe.cc", "#include <boost/regex.hpp>", 1},
      {"src/base/digest.cc", "#include <xxhash.h>", 0},
      {"src/store/record.cc", "#include <xxhash.h>", 1},
      {"src/store/catalog.h", "#include <sqlite3.h>", 1},
      {"src/calibration/principal_axes.cc", "#include <Eigen/Eigenvalues>", 0},
      {"src/calibration/facts.cc", "#include <Eigen/Core>", 1},
  };
  for (const auto& [path, include, count] : kCases) {
    EXPECT_EQ(count_violations(path, include), count) << path << ": " << include;
  }
}

}  // namespace
}  // namespace kvasir
