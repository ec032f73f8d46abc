// What a person does with a remote engine, and what local deletion does there, with real servers.
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "cli_driver.h"
#include "real_redis.h"

namespace kvasir {
namespace {

using testing::Outcome;
using testing::RealRedis;

const Json& member(const Json& object, const char* name) {
  static const Json none;
  const Json* found = object.find(name);
  EXPECT_NE(found, nullptr) << name;
  return found == nullptr ? none : *found;
}

const Json& only_engine(const Json& answer) {
  const Json::Array& engines = *member(answer, "engines").as_array();
  EXPECT_EQ(engines.size(), 1u);
  return engines.front();
}

class CacheRemote : public testing::CliTest {
 protected:
  static std::string prompt(int words, const std::string& first = "") {
    std::string text = first;
    for (int i = 0; i < words; ++i) text += i % 7 == 3 ? "And the sea. " : "the day was long ";
    return text;
  }
  std::string remote() const { return " --remote " + redis_.url(); }
  std::string store() const { return " --store " + directory_.file("store"); }
  Json answer(const std::string& text, const std::string& options = "") {
    return run_json("run --json --max-tokens 4 --prompt-file - --remote-tokens 0" + store() +
                        remote() + options,
                    text);
  }
  Json ask(const std::string& arguments, const std::string& options = "") {
    return run_json("cache remote " + arguments + " --json" + remote() + options);
  }
  int64_t objects() const { return std::stoll(redis_.ask({"DBSIZE"})); }
  std::string first_key() {
    const Json list = run_json("cache ls --json" + store());
    return *member(list, "runs").as_array()->front().find("key")->as_string();
  }

  RealRedis redis_{{.arguments = {"--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"}}};
};

TEST_F(CacheRemote, WhatAServerWroteIsCountedListedAndRight) {
  answer(prompt(300));
  const Json stat = only_engine(ask("stat"));
  EXPECT_EQ(*member(stat, "engine").as_string(), redis_.url());
  EXPECT_EQ(member(stat, "version").as_string()->substr(0, 6), "Redis ");
  EXPECT_EQ(integer(stat, "limit_bytes"), int64_t{64} << 20);
  EXPECT_GT(integer(stat, "used_bytes"), 0);
  EXPECT_EQ(integer(member(stat, "blocks"), "objects") + integer(member(stat, "states"), "objects"),
            objects());
  EXPECT_TRUE(member(stat, "advice").as_array()->empty());
  // The planner says what each takes.
  const Json planned = member(run_json("plan --link 1Gbit --json"), "remote");
  for (const auto& [kind, record] :
       {std::pair("blocks", "block_bytes"), {"states", "state_bytes"}}) {
    EXPECT_EQ(integer(member(stat, kind), "bytes"),
              integer(member(stat, kind), "objects") * integer(planned, record));
  }
  const Json list = only_engine(ask("ls"));
  const Json::Array& runs = *member(list, "runs").as_array();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(*member(runs[0], "key").as_string(), first_key())
      << "the same runs as in the own store";
  EXPECT_EQ(integer(runs[0], "token_end"), 128 * integer(member(stat, "blocks"), "objects"));
  const Json check = only_engine(ask("verify"));
  EXPECT_EQ(integer(member(check, "right"), "objects"), objects());
  EXPECT_EQ(integer(member(check, "right"), "bytes"),
            integer(member(stat, "blocks"), "bytes") + integer(member(stat, "states"), "bytes"));
}

TEST_F(CacheRemote, TheStoreKnowsWhatItsTierCountedOverAllProcesses) {
  EXPECT_EQ(run("run --max-tokens 1 --prompt a" + store()).exit_status, 0);
  EXPECT_TRUE(member(run_json("cache stat --json" + store()), "remote").is_null());
  answer(prompt(300));
  answer(prompt(300, "Another day. "));
  const Json totals = member(run_json("cache stat --json" + store()), "remote");
  EXPECT_EQ(integer(totals, "lookups"), 2);
  EXPECT_EQ(integer(totals, "written_chains"), 2);
  EXPECT_GT(integer(totals, "requested_tokens"), integer(totals, "hit_tokens"));
  const Json engine = member(totals, "endpoints").as_array()->front();
  EXPECT_EQ(*member(engine, "label").as_string(), redis_.url());
  EXPECT_EQ(integer(engine, "written_objects"), objects());
  EXPECT_GE(integer(engine, "write_calls"), 2);
  const Outcome text = run("cache stat" + store());
  EXPECT_NE(text.out.find("\nremote tier, over all processes that have ended:\n"),
            std::string::npos);
  EXPECT_NE(text.out.find("\n" + redis_.url() + ":\n"), std::string::npos) << text.out;
}

// One run over each link; the last one's chart shows both.
TEST_F(CacheRemote, BenchMeasuresLinksAndDrawsThemTogether) {
  const std::string csv = directory_.file("links.csv"), svg = directory_.file("links.svg");
  const std::string bench =
      "bench remote --json --flash --tokens 300 900 --csv " + csv + " --svg " + svg + remote();
  run_json(bench + " --link 'a wire'");
  const Json result = run_json(bench + " --link 'by air' --resumes 2 --turns 3");
  const Json& times = member(result, "times").as_array()->back();
  EXPECT_EQ(integer(times, "tokens"), 900);
  EXPECT_EQ(integer(times, "remote_tokens"), 2 * 896);
  EXPECT_GT(integer(times, "read_bytes"), 2 * 7 * 449'824);
  EXPECT_GT(integer(times, "ram_bytes"), 0);
  EXPECT_GE(integer(member(member(times, "calls"), "read"), "count"), 2);
  const Json& conversation = member(result, "conversation");
  EXPECT_EQ(integer(conversation, "tokens"), 3 * 600);
  EXPECT_GT(integer(conversation, "written_bytes"), 14 * 449'824);
  const std::string table = testing::read_file(csv);
  EXPECT_EQ(table.substr(0, table.find('\n')), "link,tokens,cold_ms,remote_ms,local_ms");
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 5);
  const std::string chart = testing::read_file(svg);
  for (const char* line :
       {">computed<", ">brought, a wire<", ">brought, by air<", ">from the own store<"}) {
    EXPECT_NE(chart.find(line), std::string::npos) << line;
  }
  testing::write_file(csv, "something else\n");
  const Outcome refused = run(bench);
  EXPECT_EQ(refused.exit_status, 1) << refused.out;
  EXPECT_NE(refused.err.find("not a table of times over links"), std::string::npos) << refused.err;
  EXPECT_EQ(testing::read_file(csv), "something else\n");
}

TEST_F(CacheRemote, AdviceIsGiven) {
  (void)redis_.ask({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  const Outcome outcome = run("cache remote stat" + remote());
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("advice: the server refuses what is new"), std::string::npos)
      << outcome.out;
}

TEST_F(CacheRemote, DamageIsFoundAndRepaired) {
  answer(prompt(300));
  const std::string any = redis_.ask({"EVAL",
                                      "for _, k in ipairs(redis.call('KEYS', 'kv1/b/*')) do "
                                      "redis.call('SETRANGE', k, 5000, 'damage') return 1 end",
                                      "0"});
  ASSERT_EQ(any, "1");
  const int64_t before = objects();
  const Outcome found = run("cache remote verify" + remote());
  EXPECT_EQ(found.exit_status, 1);
  EXPECT_NE(found.out.find("wrong: b/"), std::string::npos) << found.out;
  EXPECT_EQ(std::count(found.err.begin(), found.err.end(), '\n'), 1) << found.err;
  const Json repaired = only_engine(ask("verify --repair"));
  EXPECT_EQ(integer(member(member(repaired, "repair"), "removed"), "objects"), 1);
  EXPECT_EQ(objects(), before - 1);
  EXPECT_EQ(run("cache remote verify" + remote()).exit_status, 0);
}

TEST_F(CacheRemote, AnotherGroupSeesNothingAndRemovesNothing) {
  testing::write_file(directory_.file("secret"), std::string(32, 'a'));
  testing::write_file(directory_.file("other"), std::string(32, 'b'));
  for (const char* file : {"secret", "other"}) {
    std::filesystem::permissions(directory_.file(file), std::filesystem::perms::owner_read);
  }
  const std::string own = " --remote-encrypt --remote-secret " + directory_.file("secret");
  const std::string other = " --remote-secret " + directory_.file("other");
  answer(prompt(300), own);
  const int64_t all = objects();
  ASSERT_GT(all, 0);
  EXPECT_EQ(member(only_engine(ask("ls", own)), "runs").as_array()->size(), 1u);
  EXPECT_EQ(integer(member(only_engine(ask("verify", own)), "right"), "objects"), all);
  for (const std::string& options : {other, other + " --remote-encrypt", std::string()}) {
    EXPECT_TRUE(member(only_engine(ask("ls", options)), "runs").as_array()->empty());
    EXPECT_EQ(integer(member(only_engine(ask("prune --all", options)), "foreign"), "objects"), all);
    EXPECT_EQ(objects(), all);
  }
  EXPECT_EQ(integer(member(only_engine(ask("prune --all", own)), "removed"), "objects"), all);
  EXPECT_EQ(objects(), 0);
}

TEST_F(CacheRemote, PruneTakesWhatWasChosen) {
  answer(prompt(300));
  const int64_t all = objects();
  EXPECT_EQ(integer(member(only_engine(ask("prune --older-than 1h")), "removed"), "objects"), 0);
  EXPECT_EQ(integer(member(only_engine(ask("prune --model 0123456789")), "removed"), "objects"), 0);
  const Json list = only_engine(ask("ls"));
  const std::string model = *member(member(list, "runs").as_array()->front(), "model").as_string();
  EXPECT_EQ(integer(member(only_engine(ask("prune --model " + model)), "removed"), "objects"), all);
  EXPECT_EQ(objects(), 0);
  EXPECT_EQ(run("cache remote prune" + remote()).exit_status, 2);
  EXPECT_EQ(run("cache remote stat").exit_status, 2);
}

TEST_F(CacheRemote, WhatIsDeletedHereIsDeletedThere) {
  answer(prompt(300));
  const int64_t first = objects();
  answer(prompt(300, "Another text. "));
  const int64_t all = objects();
  ASSERT_GT(all, first);
  const std::string key = first_key();
  const Json one = run_json("cache prune " + key + " --json" + store() + remote());
  const Json& removal = member(one, "remote").as_array()->front();
  EXPECT_EQ(integer(removal, "left_objects"), 0);
  EXPECT_EQ(integer(member(removal, "removed"), "objects"), all - objects());
  EXPECT_EQ(member(only_engine(ask("ls")), "runs").as_array()->size(), 1u);
  const Outcome cleared = run("cache clear" + store() + remote());
  EXPECT_EQ(cleared.exit_status, 0) << cleared.err;
  EXPECT_NE(cleared.out.find("removed: "), std::string::npos) << cleared.out;
  EXPECT_EQ(objects(), 0);
}

TEST_F(CacheRemote, WithoutTheOptionTheEngineKeepsWhatIsDeletedHere) {
  answer(prompt(300));
  const int64_t all = objects();
  EXPECT_EQ(run("cache clear" + store()).exit_status, 0);
  EXPECT_EQ(objects(), all);
}

TEST_F(CacheRemote, WhatCannotBeDeletedThereIsSaid) {
  answer(prompt(300));
  const int64_t all = objects();
  redis_.stop();
  const Outcome outcome = run("cache clear --json" + store() + remote());
  redis_.go_on();
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_NE(outcome.err.find("objects may still be at the remote engine"), std::string::npos)
      << outcome.err;
  const Json removal = member(*Json::parse(outcome.out, "clear"), "remote").as_array()->front();
  EXPECT_GE(integer(removal, "left_objects"), all);
  EXPECT_FALSE(member(removal, "reason").as_string()->empty());
  EXPECT_EQ(integer(run_json("cache stat --json" + store()), "file_bytes"), 0) << "here it is gone";
}

TEST_F(CacheRemote, AnEngineThatDoesNotAnswerIsOneLineAndTheOthersAreTold) {
  const std::string nobody = "redis://127.0.0.1:" + std::to_string(testing::free_port());
  for (const char* command : {"stat", "ls", "verify", "prune --all"}) {
    const Outcome outcome =
        run("cache remote " + std::string(command) + " --remote " + nobody + remote());
    EXPECT_EQ(outcome.exit_status, 1) << command;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_NE(outcome.err.find("127.0.0.1"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.out.find(redis_.url()), std::string::npos) << outcome.out;
  }
  redis_.stop();
  const Outcome hung = run("cache remote stat" + remote(), "", "timeout 60");
  redis_.go_on();
  EXPECT_EQ(hung.exit_status, 1);
  EXPECT_EQ(std::count(hung.err.begin(), hung.err.end(), '\n'), 1) << hung.err;
}

// Of a cluster with a server that does not answer nobody knows what is there.
TEST_F(CacheRemote, AClusterIsToldOfAsAWholeOrNotAtAll) {
  testing::RealCluster cluster;
  const std::string whole = " --remote '" + cluster.url() + "'";
  run_json("run --json --max-tokens 4 --prompt-file - --remote-tokens 0" + store() + whole,
           prompt(300));
  const Json stat = only_engine(run_json("cache remote stat --json" + whole));
  const int64_t objects =
      integer(member(stat, "blocks"), "objects") + integer(member(stat, "states"), "objects");
  EXPECT_GT(objects, 5);
  const Json check = only_engine(run_json("cache remote verify --json" + whole));
  EXPECT_EQ(integer(member(check, "right"), "objects"), objects);
  cluster.node(2).kill();
  for (const char* command : {"stat", "verify", "prune --all"}) {
    const Outcome outcome = run("cache remote " + std::string(command) + whole);
    EXPECT_EQ(outcome.exit_status, 1) << command << outcome.out;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  const Outcome cleared = run("cache clear" + store() + whole);
  EXPECT_EQ(cleared.exit_status, 1);
  EXPECT_NE(cleared.out.find("perhaps still there: "), std::string::npos) << cleared.out;
}

}  // namespace
}  // namespace kvasir
