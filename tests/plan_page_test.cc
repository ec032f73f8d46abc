// The page that `kvasir plan --html` writes, opened in headless Chromium: for every built-in model
// a script sets the page's own controls and reads what a person would, which must be what the
// command says.
#include <cstdlib>
#include <functional>
#include <string>

#include "cli_driver.h"
#include "kvasir/plan.h"

namespace kvasir {
namespace {

using testing::CliTest;

constexpr const char* kDriver = R"(<pre id="outcome"></pre><script>
  const outcome = {};
  const set = (id, value, event) => {
    at(id).value = value;
    at(id).dispatchEvent(new Event(event));
  };
  const read = () => {
    const total = document.querySelector('tr.total'), fits = at('fits');
    return {ram: Number(total.dataset.ram), cold: Number(total.dataset.cold),
            ssd: Number(total.dataset.ssd), fit_ram: Number(fits.dataset.ram),
            fit_cold: Number(fits.dataset.cold), seen: total.cells[3].textContent,
            rate: total.cells[2].textContent, command: at('command').textContent,
            lines: [...at('bill').rows].length, wrong: at('wrong').textContent,
            curves: at('chart').querySelectorAll('polyline').length};
  };
  for (const option of [...at('model').options]) {
    set('model', option.value, 'change');
    set('memory', '3GiB', 'input');
    for (const precision of [...at('precision').options].map((one) => one.value)) {
      set('precision', precision, 'input');
      for (const context of ['1000', '100000']) {
        set('context', context, 'input');
        outcome[option.value + ' ' + precision + ' ' + context] = read();
      }
    }
  }
  set('context', 'many', 'input');
  outcome.wrong = {wrong: at('wrong').textContent};
  at('outcome').textContent = 'BEGIN' + JSON.stringify(outcome) + 'END';
</script>)";

// Reads the page as it opens.
constexpr const char* kReader = R"(<pre id="outcome"></pre><script>
  const total = document.querySelector('tr.total'), fits = at('fits'), seen = {};
  for (const id of fields) seen[id] = at(id).value;
  at('outcome').textContent = 'BEGIN' + JSON.stringify({
    ...seen, model: at('model').value, ram: Number(total.dataset.ram),
    cold: Number(total.dataset.cold), fit_ram: Number(fits.dataset.ram),
    fit_cold: Number(fits.dataset.cold), command: at('command').textContent,
    wrong: at('wrong').textContent}) + 'END';
</script>)";

class PlanPage : public CliTest {
 protected:
  // What the driver saw, by "model precision context"; the browser is started once.
  const Json& seen() {
    static const Json outcome = drive("", kDriver);
    return outcome;
  }

 protected:
  // What the page of these arguments says to a script that stands behind it.
  Json drive(const std::string& arguments, const std::string& driver) {
    const std::string page_path = directory_.file("plan.html");
    EXPECT_EQ(run("plan " + arguments + " --html " + page_path).exit_status, 0);
    const std::string page = testing::read_file(page_path);
    for (const char* loads : {" src=", "@import", "fetch(", "<link", "url("}) {
      EXPECT_EQ(page.find(loads), std::string::npos) << loads;
    }
    testing::write_file(directory_.file("driven.html"), page + driver);
    const std::string command =
        "chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=" +
        directory_.file("profile") + " --virtual-time-budget=60000 --dump-dom file://" +
        directory_.file("driven.html") + " > " + directory_.file("dom") + " 2> " +
        directory_.file("browser_errors");
    EXPECT_EQ(std::system(command.c_str()), 0)
        << "chromium is needed: ./kvasir.sh setup\n"
        << testing::read_file(directory_.file("browser_errors"));
    const std::string dom = testing::read_file(directory_.file("dom"));
    const size_t begin = dom.rfind("BEGIN{");
    const size_t end = dom.rfind("}END");
    if (begin == std::string::npos || end == std::string::npos) {
      ADD_FAILURE() << "the page did not run: " << dom.substr(0, 2000);
      return {};
    }
    auto json = Json::parse(dom.substr(begin + 5, end + 1 - begin - 5), "the page");
    EXPECT_TRUE(json.ok());
    return json.ok() ? *json : Json();
  }
};

int64_t bytes_at(const std::vector<plan::Term>& terms, int64_t tokens) {
  return plan::bytes_of(terms, {.context_tokens = tokens, .is_bound = true});
}

// tokens is the largest context of at most `limit` for which bytes_of stays within `room`.
void expect_largest(const std::function<int64_t(int64_t)>& bytes_of, int64_t tokens, int64_t room,
                    int64_t limit, const std::string& name) {
  if (tokens > 0) {
    EXPECT_LE(bytes_of(tokens), room) << name;
  }
  if (tokens < limit) {
    EXPECT_GT(bytes_of(tokens + 1), room) << name;
  }
}

TEST_F(PlanPage, SaysWhatTheCommandSaysOfEveryModel) {
  constexpr int64_t kRoom = int64_t{3} << 30;
  int64_t compared = 0;
  for (const plan::BuiltInModel& one : plan::built_in_models()) {
    const plan::CacheModel model = plan::built_in_model(one.name).value();
    const int64_t limit =
        model.context_tokens_max == 0 ? plan::kContextTokensMax : model.context_tokens_max;
    for (const plan::PrecisionInfo& precision : plan::precisions()) {
      const auto cost = plan::cache_cost(model, {.precision = precision.name});
      for (const int64_t tokens : {1000, 100'000}) {
        const std::string name = one.name + " " + precision.name + " " + std::to_string(tokens);
        const Json* shown = seen().find(name);
        ASSERT_EQ(shown != nullptr, cost.ok()) << name;
        if (shown == nullptr) continue;
        ++compared;
        const plan::Load load{.context_tokens = tokens};
        EXPECT_EQ(integer(*shown, "ram"), plan::bytes_of(cost->ram, load)) << name;
        EXPECT_EQ(integer(*shown, "ssd"), plan::bytes_of(cost->ssd, load)) << name;
        const int64_t cold = plan::bytes_of(cost->ram_cold, load);
        EXPECT_EQ(integer(*shown, "cold"), cold == 0 ? 0 : plan::budget_for_cold(cold)) << name;
        EXPECT_EQ(*shown->find("command")->as_string(), "kvasir plan " + one.name + " --context " +
                                                            std::to_string(tokens) + " --kv " +
                                                            precision.name);
        EXPECT_EQ(integer(*shown, "curves"), cold == 0 ? 1 : 2) << name;
        EXPECT_EQ(*shown->find("wrong")->as_string(), "") << name;
        expect_largest([&](int64_t t) { return bytes_at(cost->ram, t); },
                       integer(*shown, "fit_ram"), kRoom, limit, name);
        if (cold == 0) continue;
        expect_largest(
            [&](int64_t t) { return plan::budget_for_cold(bytes_at(cost->ram_cold, t)); },
            integer(*shown, "fit_cold"), kRoom, limit, name);
      }
    }
  }
  EXPECT_GT(compared, 2000);
  EXPECT_NE(seen().find("wrong")->find("wrong")->as_string()->size(), 0U);
}

// The page of a model that is named shows it first, once, by what the command was given.
TEST_F(PlanPage, BeginsWithTheModelThatIsNamed) {
  const auto page_of = [&](const std::string& argument) {
    const std::string path = directory_.file("own.html");
    EXPECT_EQ(run("plan " + argument + " --html " + path).exit_status, 0);
    return testing::read_file(path);
  };
  const auto count = [](const std::string& text, const std::string& part) {
    int64_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
      ++found;
    return found;
  };
  const std::string known = page_of("command-r7b");
  EXPECT_EQ(count(known, "\"name\":\"command-r7b\""), 1);
  EXPECT_LT(known.find("\"name\":\"command-r7b\""), known.find("\"name\":\"llama-2-7b\""));
  EXPECT_NE(page_of(golden_).find("\"name\":\"" + golden_ + "\""), std::string::npos);
  // Names from outside cannot leave the place of the data.
  const std::string odd = directory_.file("x<!--<script>");
  testing::write_file(odd, testing::read_file(golden_ + "/config.json"));
  EXPECT_EQ(page_of("'" + odd + "'").find("<!--"), std::string::npos);
}

// Every field as it was written, and the answers those of the command.
TEST_F(PlanPage, OpensWithWhatTheCommandWasGiven) {
  const std::string question =
      "llama-3.1-8b --kv q8_0 --context 64k --sequences 6 --shared-prefix 4k --memory 48GB "
      "--headroom 2GiB --weights 16GB --tp 2 --dp 2 --page 16";
  const Json shown = drive(question, kReader);
  const auto field = [&](const char* name) { return *shown.find(name)->as_string(); };
  EXPECT_EQ(field("model"), "llama-3.1-8b");
  EXPECT_EQ(field("context"), "64k");
  EXPECT_EQ(field("precision"), "q8_0");
  EXPECT_EQ(field("sequences"), "6");
  EXPECT_EQ(field("prefix"), "4k");
  EXPECT_EQ(field("memory"), "48GB");
  EXPECT_EQ(field("headroom"), "2GiB");
  EXPECT_EQ(field("weights"), "16GB");
  EXPECT_EQ(field("wrong"), "");
  const Json plan = run_json("plan " + question + " --json");
  EXPECT_EQ(integer(shown, "ram"), integer(*plan.find("bill"), "ram_bytes"));
  for (const Json& fit : *plan.find("memory")->find("fits")->as_array()) {
    if (*fit.find("precision")->as_string() != "q8_0") continue;
    EXPECT_EQ(integer(shown, "fit_ram"), integer(fit, "context_tokens"));
  }
  // The command that the page names asks the same.
  const std::string words = field("command").substr(std::string("kvasir ").size());
  const Json again = run_json(words + " --json");
  for (const char* part : {"bill", "memory"}) {
    EXPECT_EQ(again.find(part)->dump(), plan.find(part)->dump()) << words;
  }
}

// A tenth stays free unless told otherwise, as in the command; weights of a checkpoint are known.
TEST_F(PlanPage, OpensWithWhatTheCommandTakesUntold) {
  const Json shown = drive("deepseek-v4-flash --context 1M --memory 128GB", kReader);
  EXPECT_EQ(*shown.find("context")->as_string(), "1M");
  EXPECT_EQ(*shown.find("headroom")->as_string(), "10%");
  EXPECT_EQ(integer(shown, "fit_ram"), 1 << 20);
  const Json own = drive(golden_, kReader);
  const Json plan = run_json("plan " + golden_ + " --json");
  EXPECT_EQ(*own.find("weights")->as_string(),
            std::to_string(integer(*plan.find("bill"), "weight_bytes")));
}

// What stands in a cell, and the command that the page names, run as a person would.
TEST_F(PlanPage, AndInTheSameWords) {
  for (const plan::BuiltInModel& one : plan::built_in_models()) {
    const Json* shown = seen().find(one.name + " native 100000");
    ASSERT_NE(shown, nullptr);
    const std::string command = *shown->find("command")->as_string();
    const auto outcome = run(command.substr(std::string("kvasir ").size()));
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    const size_t line = outcome.out.find("\ncache ");
    ASSERT_NE(line, std::string::npos);
    const std::string total = outcome.out.substr(line + 1, outcome.out.find('\n', line + 1) - line);
    EXPECT_NE(total.find(*shown->find("seen")->as_string()), std::string::npos)
        << command << ": " << total << " " << *shown->find("seen")->as_string();
    const Json plan = run_json(command.substr(std::string("kvasir ").size()) + " --json");
    EXPECT_EQ(integer(*plan.find("bill"), "ram_bytes"), integer(*shown, "ram")) << command;
  }
}

}  // namespace
}  // namespace kvasir
