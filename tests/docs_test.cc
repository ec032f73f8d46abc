// What the pages say about the code, compared with the code: sizes, lists, links and examples.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "doc_tables.h"
#include "eval/estimate.h"
#include "kv/coding.h"
#include "kv/layout.h"
#include "kv/test_support.h"
#include "model/deepseek_v4/geometry.h"
#include "model/deepseek_v4/test_support.h"
#include "plan/quality.h"
#include "source_tree.h"

namespace kvasir {
namespace {

// ---- sizes --------------------------------------------------------------------------------------

// 57376 -> "57,376".
std::string grouped(int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

// Bytes per token of a block: "3,514.25", or "13,760" where they are whole.
std::string per_token(const kv::CacheLayout& layout) {
  const int64_t bytes = layout.block_bytes();
  const int64_t thousandths = bytes % kv::kBlockTokens * 1000 / kv::kBlockTokens;
  std::string text = fmt::format("{}.{:03}", grouped(bytes / kv::kBlockTokens), thousandths);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

kv::CacheLayout flash() { return kv::make_layout(kv::pooled_spec(kv::flash_shape())); }

kv::CacheLayout flash_in_float32() {
  kv::PooledShape shape = kv::flash_shape();
  shape.rows = shape.keys = kernels::CodecId::kF32;
  return kv::make_layout(kv::pooled_spec(shape));
}

kv::CacheLayout bundled() {
  const std::string_view path = "models/kvasir-tiny/config.json";
  const auto config = model::deepseek_v4::parse_config(project_text(path), path);
  EXPECT_TRUE(config.ok());
  return kv::make_layout(model::deepseek_v4::cache_spec(*config, "native").value());
}

using Sizes = std::map<std::string, std::string>;

Sizes sizes_of(const kv::CacheLayout& layout) {
  const auto geometry = model::deepseek_v4::geometry_of(layout);
  return {{"row", grouped(geometry.row.bytes())},
          {"index key", grouped(geometry.key.bytes())},
          {"hot part of a block", grouped(layout.hot_bytes)},
          {"cold part of a block", grouped(layout.cold_bytes)},
          {"block", grouped(layout.block_bytes())},
          {"block, per token", per_token(layout)},
          {"boundary state", grouped(layout.boundary_state_bytes())}};
}

// The table of sizes has a column for Flash and one for the bundled model.
TEST(Docs, TheTableOfSizesIsTheLayout) {
  Sizes flash_sizes;
  Sizes bundled_sizes;
  for (const DocRow& row : doc_table("docs/block_format.md", "sizes")) {
    ASSERT_EQ(row.size(), 3u) << row.front();
    flash_sizes[row[0]] = row[1];
    bundled_sizes[row[0]] = row[2];
  }
  EXPECT_EQ(flash_sizes, sizes_of(flash()));
  EXPECT_EQ(bundled_sizes, sizes_of(bundled()));
}

// Sizes that stand in running text.
TEST(Docs, SizesInSentencesAreTheLayouts) {
  const kv::CacheLayout native = flash();
  const auto geometry = model::deepseek_v4::geometry_of(native);
  const kv::CacheLayout f32 = flash_in_float32();
  const int64_t row = geometry.row.bytes();
  const int64_t key = geometry.key.bytes();
  const std::string hot = grouped(native.hot_bytes);
  const std::string cold = grouped(native.cold_bytes);
  const std::pair<std::string, std::string> kSentences[] = {
      {"README.md", fmt::format("{} bytes per token", per_token(native))},
      {"README.md", fmt::format("{} in float32", per_token(f32))},
      {"docs/architecture.md", fmt::format("{} per row, {} per index key", row, key)},
      {"docs/architecture.md", fmt::format("{} B hot + {} B cold", hot, cold)},
      {"docs/architecture.md", fmt::format("{} B a token", per_token(native))},
      {"docs/block_format.md", fmt::format("= {} |", cold)},
      {"docs/block_format.md", fmt::format("1.5 % of its {}", hot)},
      {"docs/block_format.md", fmt::format("reading a row of {} bytes", row)},
      {"docs/deepseek_v4.md", fmt::format("= {} |", row)},
      {"docs/deepseek_v4.md", fmt::format("= {} |", key)},
      {"docs/deepseek_v4.md", fmt::format("{} bytes per token", per_token(native))},
      {"docs/numerics.md", fmt::format("Flash: {} bytes", row)},
      {"docs/numerics.md", fmt::format("Flash: {} bytes", key)},
      {"docs/segment_format.md", fmt::format("a row of {} bytes", row)},
      {"src/kernels/codecs/fp8.cc", fmt::format("{} bytes for 512 values", row)},
      {"src/kernels/codecs/fp4.cc", fmt::format("{} bytes for 128 values", key)},
  };
  for (const auto& [path, sentence] : kSentences) {
    EXPECT_NE(project_text(path).find(sentence), std::string::npos) << path << ": " << sentence;
  }
}

// ---- measurements -------------------------------------------------------------------------------

// As tools/quality_table.py writes it.
DocRow row_of(const plan::MeasuredPrecision& one, const plan::Measurement& measured) {
  const char* mark = plan::is_beaten(one, measured) ? "" : "**";
  return {fmt::format("{0}`{1}`{0}", mark, one.precision),
          fmt::format("{:.3g}", one.bits),
          fmt::format("{:.4f}", one.keys.value()),
          fmt::format("{:.4f}", one.values.value()),
          fmt::format("{:.4f}", one.attended.value()),
          fmt::format("{:.5f} ({:.5f})", one.kl.value, (one.kl.high - one.kl.low) / 2),
          fmt::format("{:.1f}", 100 * one.same.value()),
          fmt::format("{:.4f}", one.ppl.value()),
          fmt::format("{:.3f}", one.copied.value()),
          one.quality};
}

// The table is that of the measurement on GQA that took a calibration, or that of the one without.
void expect_table(const char* mark, bool has_data) {
  const std::vector<plan::Measurement>& all = plan::own_measurements();
  const auto found = std::ranges::find_if(all, [has_data](const plan::Measurement& one) {
    const bool takes_data = one.command.find("--kv-data") != std::string::npos;
    return one.attention == "gqa" && takes_data == has_data;
  });
  ASSERT_NE(found, all.end());
  const plan::Measurement& measured = *found;
  std::vector<DocRow> rows;
  for (const plan::MeasuredPrecision& one : measured.precisions) {
    if (one.precision != "f32") rows.push_back(row_of(one, measured));
  }
  EXPECT_EQ(doc_table("docs/precision.md", mark), rows);
  EXPECT_NE(project_text("docs/precision.md").find("\n    " + measured.command + "\n"),
            std::string::npos);
}

TEST(Docs, TheTablesOfPrecisionsAreWhatWasMeasured) {
  expect_table("measured precisions", false);
  expect_table("measured with a calibration", true);
}

// As tools/quality_table.py --attention deepseek-v4 writes it.
DocRow answers_row_of(const plan::MeasuredPrecision& one, const plan::Measurement& measured) {
  const eval::Estimate share = eval::share(one.right.value(), measured.count);
  return {
      grouped(measured.texts.front().tokens),
      fmt::format("`{}`", one.precision),
      fmt::format("{:.3g}", one.bits),
      fmt::format("{} of {}", one.right.value(), measured.count),
      fmt::format("{:.1f} [{:.1f}, {:.1f}]", 100 * share.value, 100 * share.low, 100 * share.high),
      fmt::format("{:.5f} [{:.5f}, {:.5f}]", one.kl.value, one.kl.low, one.kl.high)};
}

TEST(Docs, TheTableOfAnswersIsWhatWasMeasured) {
  std::vector<DocRow> rows;
  for (const plan::Measurement& measured : plan::own_measurements()) {
    if (measured.evaluation != plan::Evaluation::kRecall) continue;
    for (const plan::MeasuredPrecision& one : measured.precisions) {
      rows.push_back(answers_row_of(one, measured));
    }
    EXPECT_NE(project_text("docs/precision.md").find("\n    " + measured.command + ","),
              std::string::npos)
        << measured.command;
  }
  EXPECT_FALSE(rows.empty());
  EXPECT_EQ(doc_table("docs/precision.md", "measured answers"), rows);
}

// What a row and an index key of Flash take in each precision.
TEST(Docs, TheTableOfV4SizesIsTheLayouts) {
  std::vector<DocRow> rows;
  for (const DocRow& row : doc_table("docs/precision.md", "v4 sizes")) {
    const auto precision = kv::parse_precision(backquoted(row.front()).front());
    ASSERT_TRUE(precision.ok()) << row.front();
    kv::CacheSpec spec = kv::pooled_spec(kv::flash_shape());
    for (kv::Layer& layer : spec.layers) {
      for (kv::Stream& stream : layer.streams) {
        stream = kv::coded_stream(stream, precision->coding_of(stream.role, 0)).value();
      }
    }
    const kv::CacheLayout layout = kv::make_layout(spec);
    const auto geometry = model::deepseek_v4::geometry_of(layout);
    const int64_t rows_stream = layout.find(2, kv::Role::kLatents, /*is_window=*/false);
    rows.push_back({row[0], grouped(layout.streams[static_cast<size_t>(rows_stream)].row_bytes),
                    grouped(geometry.key.bytes()), per_token(layout)});
  }
  EXPECT_EQ(rows.size(), 5u);
  EXPECT_EQ(doc_table("docs/precision.md", "v4 sizes"), rows);
}

// ---- lists --------------------------------------------------------------------------------------

std::set<std::string> public_headers() {
  std::set<std::string> headers;
  for (const SourceFile& file : project_files()) {
    if (file.path.starts_with("include/kvasir/")) headers.insert(file.path);
  }
  return headers;
}

TEST(Docs, EveryPublicHeaderIsListed) {
  std::set<std::string> listed;
  for (const DocRow& row : doc_table("docs/architecture.md", "public headers")) {
    for (const std::string& target : link_targets(row.front())) listed.insert(target.substr(3));
  }
  EXPECT_EQ(listed, public_headers());
}

// "src/kv/layout.h" -> "src/kv/", "tools/long_read.py" -> "tools/".
std::string folder_of(const std::string& path) {
  size_t end = path.find('/');
  if (path.starts_with("src/")) end = path.find('/', end + 1);
  return path.substr(0, end + 1);
}

TEST(Docs, TheReadmesMapNamesEveryFolder) {
  std::set<std::string> mapped;
  for (const DocRow& row : doc_table("README.md", "map")) {
    for (const std::string& folder : backquoted(row.front())) mapped.insert(folder);
  }
  std::set<std::string> folders;
  for (const SourceFile& file : project_files()) {
    if (file.path.starts_with('.') || file.path.find('/') == std::string::npos) continue;
    folders.insert(folder_of(file.path));
  }
  EXPECT_EQ(mapped, folders);
}

// ---- links --------------------------------------------------------------------------------------

// "## Boundary state" -> "boundary-state", as hosts of Markdown make it.
std::string anchor_of(std::string_view heading) {
  while (heading.starts_with('#')) heading.remove_prefix(1);
  std::string anchor;
  for (const char c : heading.substr(1)) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '_' || c == '-') {
      anchor += static_cast<char>(std::tolower(byte));
    } else if (c == ' ') {
      anchor += '-';
    }
  }
  return anchor;
}

bool has_anchor(std::string_view page, std::string_view anchor) {
  return std::ranges::any_of(lines_of(page), [&](std::string_view line) {
    return line.starts_with("#") && anchor_of(line) == anchor;
  });
}

// Why a link leads nowhere; empty when it does lead somewhere.
std::string complaint(const SourceFile& page, const std::string& target) {
  if (target.find("://") != std::string::npos) return "";
  const size_t hash = std::min(target.find('#'), target.size());
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(page.path).parent_path();
  const std::string path =
      hash == 0 ? page.path : (folder / target.substr(0, hash)).lexically_normal().string();
  if (!fs::exists(fs::path(KVASIR_SOURCE_DIR) / path)) return "no such file";
  if (hash == target.size() || has_anchor(project_text(path), target.substr(hash + 1))) return "";
  return "no such heading";
}

TEST(Docs, EveryLinkLeadsSomewhere) {
  int link_count = 0;
  for (const SourceFile& file : project_files()) {
    if (!file.path.ends_with(".md")) continue;
    for (const std::string& target : link_targets(file.text)) {
      ++link_count;
      EXPECT_EQ(complaint(file, target), "") << file.path << ": " << target;
    }
  }
  EXPECT_GT(link_count, 20);
}

TEST(Docs, ALinkThatLeadsNowhereIsNoticed) {
  const SourceFile page{"docs/page.md", ""};
  EXPECT_EQ(complaint(page, "store.md"), "");
  EXPECT_EQ(complaint(page, "block_format.md#boundary-state"), "");
  EXPECT_EQ(complaint(page, "../include/kvasir/engine.h"), "");
  EXPECT_EQ(complaint(page, "nowhere.md"), "no such file");
  EXPECT_EQ(complaint(page, "block_format.md#nothing"), "no such heading");
}

// Whether a name in a page is meant to be a source file: "kv/layout.h".
bool names_source(std::string_view word) {
  const bool is_source = word.ends_with(".cc") || word.ends_with(".h") || word.ends_with(".py");
  return is_source && word.find('/') != word.npos;
}

bool some_file_ends_with(const std::string& word) {
  return std::ranges::any_of(project_files(), [&](const SourceFile& file) {
    return file.path == word || file.path.ends_with("/" + word);
  });
}

TEST(Docs, EveryFileNamedInAPageExists) {
  for (const SourceFile& file : project_files()) {
    if (!file.path.ends_with(".md")) continue;
    for (const std::string& word : backquoted(file.text)) {
      if (!names_source(word)) continue;
      EXPECT_TRUE(some_file_ends_with(word)) << file.path << ": " << word;
    }
  }
}

// Comments cite the page of the arithmetic by its numbered sections.
TEST(Docs, CitedSectionsOfTheArithmeticExist) {
  constexpr std::string_view kCitation = "deepseek_v4.md section ";
  const std::string_view page = project_text("docs/deepseek_v4.md");
  int citation_count = 0;
  for (const SourceFile& file : project_files()) {
    if (!file.path.starts_with("src/")) continue;
    for (size_t at = file.text.find(kCitation); at != std::string::npos;
         at = file.text.find(kCitation, at + 1)) {
      ++citation_count;
      const char section = file.text[at + kCitation.size()];
      EXPECT_NE(page.find(fmt::format("\n## {}. ", section)), std::string::npos)
          << file.path << " cites section " << section;
    }
  }
  EXPECT_GT(citation_count, 5);
}

// ---- examples -----------------------------------------------------------------------------------

// The lines of a page's first block of C++.
std::vector<std::string_view> first_example(std::string_view page) {
  constexpr std::string_view kBegin = "```cpp\n";
  const size_t begin = page.find(kBegin);
  if (begin == page.npos) return {};
  page.remove_prefix(begin + kBegin.size());
  return lines_of(page.substr(0, page.find("```")));
}

// readme_example_test.cc compiles and runs them.
TEST(Docs, TheReadmesExampleIsOneThatRuns) {
  const auto lines = first_example(project_text("README.md"));
  EXPECT_GE(lines.size(), 4u);
  for (const std::string_view line : lines) {
    EXPECT_NE(project_text("tests/readme_example_test.cc").find(line), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace kvasir
