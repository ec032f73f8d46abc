// The store as users of the command line meet it.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "cli_driver.h"

namespace kvasir {
namespace {

using testing::Outcome;
using testing::read_file;

class StoreCommand : public testing::CliTest {
 protected:
  std::string store() const { return " --store " + directory_.file("store"); }

  // A prompt of about `words` tokens; `last` makes it another one at its end.
  std::string prompt(int words, const std::string& last = "") {
    std::string text;
    for (int i = 0; i < words; ++i) text += i % 7 == 3 ? "And the sea. " : "the day was long ";
    return text + last;
  }
  Json answer(const std::string& text, const std::string& options = "") {
    return run_json("run --json --max-tokens 8 --prompt-file -" + store() + options, text);
  }
  static std::string text_of(const Json& object) { return *object.find("text")->as_string(); }
  // Of the newest run.
  std::string last_key() {
    const Json list = run_json("cache ls --json" + store());
    return *list.find("runs")->as_array()->back().find("key")->as_string();
  }
  std::string segment() const { return directory_.file("store/segment-0000000000000001.kvs"); }
};

TEST_F(StoreCommand, TheSecondRunComputesTheTailOnly) {
  const std::string text = prompt(300);
  const Json first = answer(text);
  EXPECT_EQ(integer(first, "reused_tokens"), 0);
  EXPECT_GT(integer(first, "store_written_bytes"), 0);
  const Json second = answer(text);
  const int64_t prompt_tokens = integer(second, "prompt_tokens");
  EXPECT_EQ(integer(second, "reused_tokens"), (prompt_tokens - 1) / 128 * 128);
  EXPECT_EQ(integer(second, "reused_tokens") + integer(second, "computed_tokens"), prompt_tokens);
  EXPECT_GT(integer(second, "store_read_bytes"), 0);
  EXPECT_EQ(text_of(first), text_of(second));
  const Json without = run_json("run --json --max-tokens 8 --no-store --prompt-file -", text);
  EXPECT_EQ(text_of(first), text_of(without));
  EXPECT_EQ(integer(without, "reused_tokens"), 0);
}

TEST_F(StoreCommand, TheDefaultStoreLiesInTheCacheFolder) {
  run_json("run --json --max-tokens 1 --prompt-file -", prompt(100));
  EXPECT_TRUE(std::filesystem::exists(directory_.file("cache/kvasir/LOCK")));
  run_json("cache stat --json");
}

TEST_F(StoreCommand, AChatGoesOnAfterARestart) {
  const std::string question = prompt(200, "What was long?");
  const auto chat = [&](const std::string& lines) {
    const Outcome outcome = run("chat --json --max-tokens 8" + store(), lines);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    std::vector<Json> turns;
    size_t begin = 0;
    for (size_t end = outcome.out.find('\n'); end != std::string::npos;
         begin = end + 1, end = outcome.out.find('\n', begin)) {
      turns.push_back(*Json::parse(outcome.out.substr(begin, end - begin), "turn"));
    }
    return turns;
  };
  const auto whole = chat(question + "\nAnd then?\n");
  ASSERT_EQ(whole.size(), 2u);
  const auto again = chat(question + "\nAnd then?\n");
  ASSERT_EQ(again.size(), 2u);
  EXPECT_GT(integer(again[0], "reused_tokens"), 127);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(text_of(whole[i]), text_of(again[i]));
}

// The live session holds the greeting, the store the greeting and the long message.
TEST_F(StoreCommand, AChatTakesTheDeeperOfWhatIsLiveAndWhatIsStored) {
  const std::string lines = "Hello!\n" + prompt(1000) + "\n";
  const auto second_turn = [&] {
    const Outcome outcome = run("chat --json --max-tokens 8" + store(), lines);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    return *Json::parse(outcome.out.substr(outcome.out.find('\n') + 1), "turn 2");
  };
  const Json first = second_turn();
  const int64_t prompt_tokens = integer(first, "prompt_tokens");
  EXPECT_LT(integer(first, "reused_tokens"), 100);
  const Json again = second_turn();
  EXPECT_EQ(integer(again, "reused_tokens"), (prompt_tokens - 1) / 128 * 128);
  EXPECT_EQ(text_of(again), text_of(first));

  // What is stored turns out damaged only when it is read: the live session is the deeper one then.
  {
    std::fstream file(segment(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 + 100);
    file.put('\x55');
  }
  const Json healed = second_turn();
  EXPECT_EQ(integer(healed, "reused_tokens"), integer(first, "reused_tokens"));
  EXPECT_EQ(text_of(healed), text_of(first));
}

TEST_F(StoreCommand, LogitsOfTheLastTokensContinueWithTheSameBits) {
  std::string ids;
  for (int i = 0; i < 500; ++i) ids += std::to_string(i * 7 % 90) + " ";
  testing::write_file(directory_.file("ids"), ids);
  const std::string base = "logits --tokens " + directory_.file("ids") + " --out ";
  ASSERT_EQ(run(base + directory_.file("all.npy") + " --no-store").exit_status, 0);
  ASSERT_EQ(run(base + directory_.file("kept.npy") + store()).exit_status, 0);
  ASSERT_EQ(run(base + directory_.file("last.npy") + " --last 20" + store()).exit_status, 0);
  const std::string all = read_file(directory_.file("all.npy"));
  const std::string last = read_file(directory_.file("last.npy"));
  EXPECT_EQ(all, read_file(directory_.file("kept.npy")));
  constexpr size_t kNpyHeader = 128;
  ASSERT_GT(last.size(), kNpyHeader);
  const size_t bytes = last.size() - kNpyHeader;
  EXPECT_EQ(all.substr(all.size() - bytes), last.substr(kNpyHeader));
  const Json stat = run_json("cache stat --json" + store());
  EXPECT_EQ(integer(*stat.find("totals"), "hit_tokens"), 384);
}

TEST_F(StoreCommand, ARamBudgetChangesNoBitAndTooSmallAOneIsRefused) {
  std::string ids;
  for (int i = 0; i < 3000; ++i) ids += std::to_string(i * 7 % 90) + " ";
  testing::write_file(directory_.file("ids"), ids);
  const std::string base = "logits --tokens " + directory_.file("ids") + " --last 50 --out ";
  ASSERT_EQ(run(base + directory_.file("all.npy") + " --no-store").exit_status, 0);
  const Outcome refused = run(base + directory_.file("none.npy") + " --ram 1K" + store());
  EXPECT_EQ(refused.exit_status, 1);
  const std::string at_least = "at least ";
  const size_t number = refused.err.find(at_least);
  ASSERT_NE(number, std::string::npos) << refused.err;
  const std::string least =
      std::to_string(std::stoll(refused.err.substr(number + at_least.size())));
  for (int start = 0; start < 2; ++start) {
    const auto kept = run(base + directory_.file("kept.npy") + " --ram " + least + store());
    ASSERT_EQ(kept.exit_status, 0) << kept.err;
    EXPECT_EQ(read_file(directory_.file("all.npy")), read_file(directory_.file("kept.npy")));
  }
  EXPECT_GT(integer(*run_json("cache stat --json" + store()).find("totals"), "piece_reads"), 0);
}

TEST_F(StoreCommand, BenchDecodesBehindALongContextInLittleRam) {
  const std::string csv = directory_.file("long.csv");
  const std::string svg = directory_.file("long.svg");
  const Json result = run_json(
      "bench decode --geometry flash --depth 16k --ram 50M --tokens 2 "
      "--correlation 0 --json --dir " +
      directory_.path() + " --csv " + csv + " --svg " + svg);
  const Json::Array& rows = *result.find("rows")->as_array();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_GT(*rows[0].find("read_rows")->as_double(), 0);
  EXPECT_LE(integer(rows[0], "kv_bytes"), 50'000'000);
  EXPECT_EQ(*rows[1].find("read_rows")->as_double(), 0);
  EXPECT_GT(integer(rows[1], "kv_bytes"), integer(rows[0], "kv_bytes"));
  EXPECT_NE(read_file(csv).find("16384,50000000,0.0,"), std::string::npos);
  EXPECT_NE(read_file(svg).find("<svg"), std::string::npos);
}

TEST_F(StoreCommand, FilesAreForTheirOwnerOnly) {
  const mode_t before = umask(0);
  answer(prompt(200));
  umask(before);
  struct stat status {};
  ASSERT_EQ(stat(directory_.file("store").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.file("store"))) {
    ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 3);
}

TEST_F(StoreCommand, SaltsKeepTenantsApart) {
  const std::string text = prompt(200);
  answer(text, " --salt a");
  EXPECT_EQ(integer(answer(text, " --salt b"), "reused_tokens"), 0);
  EXPECT_GT(integer(answer(text, " --salt a"), "reused_tokens"), 0);
}

TEST_F(StoreCommand, DamageIsNeverServedButFoundAndRepaired) {
  const std::string text = prompt(300);
  const Json first = answer(text);
  {
    std::fstream file(segment(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096 + 100);
    file.put('\x55');
  }
  const Outcome found = run("cache verify" + store());
  EXPECT_EQ(found.exit_status, 1);
  EXPECT_NE(found.out.find("damaged: " + segment() + ", offset 4096"), std::string::npos)
      << found.out;
  const Json second = answer(text);
  EXPECT_EQ(integer(second, "reused_tokens"), 0);
  EXPECT_EQ(text_of(first), text_of(second));
  EXPECT_EQ(integer(*second.find("store"), "verify_failures"), 1);
  // Healed by computing it again; the damaged copy is removed by a repair.
  EXPECT_GT(integer(answer(text), "reused_tokens"), 0);
  EXPECT_EQ(run("cache verify --repair" + store()).exit_status, 0);
  EXPECT_EQ(run("cache verify" + store()).exit_status, 0);
  EXPECT_GT(integer(answer(text), "reused_tokens"), 0);
}

TEST_F(StoreCommand, ConversationsTravel) {
  const std::string text = prompt(300);
  answer(text);
  const std::string file = directory_.file("conversation");
  ASSERT_EQ(run("cache export " + last_key() + " --out " + file + store()).exit_status, 0);
  EXPECT_EQ(run("cache export " + last_key() + " --out " + file + store()).exit_status, 1)
      << "a file that is there stays";
  const std::string other = " --store " + directory_.file("other");
  const Json imported = run_json("cache import --json " + file + other);
  EXPECT_EQ(integer(imported, "records"), integer(imported, "new_records"));
  const Json report = run_json("run --json --max-tokens 8 --prompt-file -" + other, text);
  EXPECT_GT(integer(report, "reused_tokens"), 0);

  // Any changed or missing byte: nothing is taken.
  const std::string bytes = read_file(file);
  for (const size_t at :
       {size_t{0}, size_t{200}, size_t{5000}, bytes.size() - 1, bytes.size() - 4096}) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    testing::write_file(file, damaged);
    const Outcome refused = run("cache import " + file + " --store " + directory_.file("third"));
    EXPECT_EQ(refused.exit_status, 1) << at;
    EXPECT_EQ(std::count(refused.err.begin(), refused.err.end(), '\n'), 1) << refused.err;
  }
  testing::write_file(file, bytes.substr(0, bytes.size() / 2));
  EXPECT_EQ(run("cache import " + file + " --store " + directory_.file("third")).exit_status, 1);
  EXPECT_EQ(integer(run_json("cache stat --json --store " + directory_.file("third")), "blocks"),
            0);
}

TEST_F(StoreCommand, RunsAreListedPinnedPrunedAndCleared) {
  const std::string shared = prompt(200);
  answer(shared + prompt(100, "One end."));
  answer(shared + "Quite another way. " + prompt(100, "Two ends."));
  const Json list = run_json("cache ls --json" + store());
  const Json::Array& runs = *list.find("runs")->as_array();
  ASSERT_EQ(runs.size(), 3u) << "a shared beginning and two branches";
  EXPECT_EQ(*runs[0].find("parent")->as_string(), "");
  EXPECT_EQ(*runs[1].find("parent")->as_string(), *runs[0].find("key")->as_string());
  EXPECT_NE(runs[0].find("first_words")->as_string()->find("the day was long"), std::string::npos);
  const std::string key = runs[1].find("key")->as_string()->substr(0, 12);
  EXPECT_EQ(run("cache pin " + key + " --name kept" + store()).exit_status, 0);
  EXPECT_EQ(run("cache prune " + key + store()).exit_status, 1) << "pinned";
  EXPECT_EQ(run("cache prune --to 0 " + store()).exit_status, 0);
  EXPECT_EQ(integer(run_json("cache stat --json" + store()), "runs"), 1)
      << "the pinned one is left";
  EXPECT_NE(run("cache ls" + store()).out.find("[pinned] kept"), std::string::npos);
  EXPECT_EQ(run("cache unpin kept" + store()).exit_status, 0);
  EXPECT_GT(integer(run_json("cache prune --json --older-than 0s" + store()), "freed_bytes"), 0);
  EXPECT_EQ(run("cache ls" + store()).out, "the store is empty\n");
  answer(shared);
  EXPECT_GT(integer(run_json("cache clear --json" + store()), "freed_bytes"), 0);
  EXPECT_EQ(integer(run_json("cache stat --json" + store()), "file_bytes"), 0);
}

TEST_F(StoreCommand, ReadersWorkBesideAWriter) {
  const std::string text = prompt(200);
  answer(text);
  // This shell holds the lock as a writer does.
  const std::string wrapper = "flock " + directory_.file("store/LOCK");
  const Outcome beside = run("run --json --max-tokens 4 --prompt-file -" + store(), text, wrapper);
  EXPECT_EQ(beside.exit_status, 0) << beside.err;
  EXPECT_NE(beside.err.find("another process writes the store"), std::string::npos) << beside.err;
  EXPECT_GT(integer(*Json::parse(beside.out, "run"), "reused_tokens"), 0);
  EXPECT_EQ(run("cache clear" + store(), "", wrapper).exit_status, 1);
}

TEST_F(StoreCommand, AStoreThatCannotBeUsedStopsNoAnswerUnlessAskedForByName) {
  testing::write_file(directory_.file("cache"), std::string_view("a file where a folder would be"));
  const Outcome outcome = run("run --prompt a --max-tokens 2");
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("going on without a store"), std::string::npos) << outcome.err;
  const Outcome named =
      run("run --prompt a --max-tokens 2 --store " + directory_.file("cache/store"));
  EXPECT_EQ(named.exit_status, 1);
  EXPECT_NE(named.err.find("cannot make the store's directory"), std::string::npos) << named.err;
}

// The limit counts for every file that is written: a pipe takes the output.
TEST_F(StoreCommand, ALimitOnTheSizeOfFilesStopsNoAnswer) {
  testing::write_file(directory_.file("prompt"), prompt(600));
  const std::string arguments = "run --json --max-tokens 4 --prompt-file " +
                                directory_.file("prompt") + " --store " + directory_.file("small");
  const auto answer_within = [&](const std::string& blocks) {
    const std::string command = "(ulimit -f " + blocks + "; " + KVASIR_BINARY + " " + arguments +
                                " 2>&1) | cat > " + directory_.file("out");
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_file(directory_.file("out"));
  };
  const Json whole = run_json(arguments + "er");
  for (const char* blocks : {"1", "8", "100"}) {
    const std::string out = answer_within(blocks);
    EXPECT_NE(out.find("was not saved in full"), std::string::npos) << out;
    EXPECT_NE(out.find(*whole.find("text")->as_string()), std::string::npos) << out;
    std::filesystem::remove_all(directory_.file("small"));
  }
}

TEST_F(StoreCommand, WrongUsageIsSaid) {
  for (const char* arguments :
       {"run --prompt a --store x --no-store", "run --prompt a --store-size many", "cache",
        "run --prompt a --ram 1G --no-store", "run --prompt a --ram much",
        "bench decode --geometry flash --depth many", "cache prune", "cache pin",
        "cache prune --older-than soon"}) {
    EXPECT_EQ(run(arguments).exit_status, 2) << arguments;
  }
  answer(prompt(100));
  EXPECT_EQ(run("cache export abc --out x" + store()).exit_status, 1) << "too short a key";
  EXPECT_EQ(run("cache export abcdefabcdef --out x" + store()).exit_status, 1) << "no such key";
  EXPECT_EQ(run("cache ls --store " + directory_.file("none")).exit_status, 1);
}

}  // namespace
}  // namespace kvasir
