// What one server takes of another's: nothing but what the same model computed the same way for the
// same tokens, in the same group. Whatever else lies at an engine is not found, or found out.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "real_redis.h"
#include "remote_driver.h"

namespace kvasir::testing {
namespace {

class RemoteTrust : public RemoteTest {
 protected:
  EngineOptions of_group(const std::string& store, const std::string& secret_file, bool encrypts) {
    EngineOptions chosen = options(store, redis_.url());
    chosen.store->remote.secret_file = secret_file;
    chosen.store->remote.encrypts = encrypts;
    return chosen;
  }

  // Exchanges the first two objects of a kind, by name, that are of one length: each is a valid
  // record.
  void swap_two(const std::string& kind) {
    const std::string script =
        "local keys = redis.call('KEYS', ARGV[1]) table.sort(keys) "
        "for i = 2, #keys do local a, b = redis.call('GET', keys[1]), redis.call('GET', keys[i]) "
        "if #a == #b then redis.call('SET', keys[1], b) redis.call('SET', keys[i], a) return 2 end "
        "end return 0";
    ASSERT_EQ(redis_.ask({"EVAL", script, "0", "kv1/" + kind + "/*"}), "2");
  }

  // Two texts are written; then two of their objects are exchanged. Servers find these, remove them
  // and write them again, until all is as it was.
  void expect_found_out(const std::string& kind, const std::string& secret_file, bool encrypts) {
    (void)redis_.ask({"FLUSHALL"});
    const std::vector<Tokens> texts = {random_tokens(600, 48, 1), random_tokens(600, 48, 2)};
    const std::string name = kind + (encrypts ? "e" : "p");
    for (const Tokens& text : texts) run_at(of_group(name + "0", secret_file, encrypts), text);
    swap_two(kind);
    int64_t found = 0;
    int64_t last_tokens = 0;
    for (int i = 1; i <= 4; ++i) {
      Engine engine = open_engine(of_group(name + std::to_string(i), secret_file, encrypts));
      last_tokens = 0;
      for (const Tokens& text : texts) last_tokens += run(engine, text).remote_tokens;
      EXPECT_TRUE(engine.flush_store().ok());
      found += wrong_bytes(engine);
    }
    EXPECT_EQ(found, 2) << name;
    EXPECT_EQ(last_tokens, 2 * 512) << name;
  }

  // It looks, finds nothing, and takes nothing for damage.
  void expect_nothing(const EngineOptions& options, const char* what) {
    Engine engine = open_engine(options);
    EXPECT_EQ(engine.resume(tokens_)->length(), 0) << what;
    const RemoteMetrics metrics = engine.remote_metrics();
    EXPECT_EQ(metrics.lookups, 1) << what;
    EXPECT_EQ(metrics.endpoints[0].read_objects, 0) << what;
    EXPECT_EQ(metrics.endpoints[0].wrong_bytes, 0) << what;
    EXPECT_EQ(metrics.endpoints[0].failures, 0) << what;
  }

  const RealRedis redis_;
  const Tokens tokens_ = random_tokens(600, 48, 3);
};

TEST_F(RemoteTrust, AValidRecordInAnothersPlaceIsFoundOut) {
  const std::string secret = private_file("secret", "of sixteen bytes, or more");
  for (const std::string kind : {"b", "s"}) {
    expect_found_out(kind, "", false);
    expect_found_out(kind, secret, true);
  }
}

TEST_F(RemoteTrust, AServerThatMixesUpAllIsLeftAlone) {
  std::vector<Tokens> texts;
  for (uint64_t seed = 10; seed < 16; ++seed) texts.push_back(random_tokens(300, 48, seed));
  for (const Tokens& text : texts) run_at(options("a", redis_.url()), text);
  // Each has the value of the next one.
  (void)redis_.ask({"EVAL",
                    "local keys = redis.call('KEYS', 'kv1/*') local values = {} "
                    "for i, key in ipairs(keys) do values[i] = redis.call('GET', key) end "
                    "for i, key in ipairs(keys) do "
                    "redis.call('SET', key, values[i % #keys + 1]) end return #keys",
                    "0"});
  Engine engine = open("b", redis_.url());
  for (const Tokens& text : texts) EXPECT_EQ(run(engine, text).remote_tokens, 0);
  EXPECT_EQ(wrong_bytes(engine), 3);
  EXPECT_TRUE(is_closed_off(engine));
}

TEST_F(RemoteTrust, OtherModelsPrecisionsSaltsAndSecretsAreNotFound) {
  const std::string secret = private_file("secret", "the secret of a group");
  const EngineOptions group = of_group("a", secret, true);
  run_at(group, tokens_);
  std::vector<std::pair<const char*, EngineOptions>> others;
  const auto other = [&](const char* what) -> EngineOptions& {
    EngineOptions one = group;
    one.store->directory = directory_.file(what);
    return others.emplace_back(what, one).second;
  };
  others.reserve(8);
  other("another secret").store->remote.secret_file = private_file("2", "the secret of another");
  other("no encryption, another secret").store->remote = {
      .urls = {redis_.url()}, .secret_file = private_file("3", "the secret of others")};
  other("no secret").store->remote = {.urls = {redis_.url()}};
  other("a salt").store->salt = "salt";
  other("f32").kv = "f32";
  const std::string model = directory_.file("other");
  std::filesystem::create_directory(model);
  TinyModelSpec spec = quick_model_spec();
  spec.seed += 1;
  write_checkpoint(model, spec);
  other("another model").model_path = model;
  for (const auto& [what, options] : others) expect_nothing(options, what);

  Engine same = open_engine(of_group("b", secret, true));
  EXPECT_EQ(same.resume(tokens_, {.salt = "tenant"})->length(), 0);
  EXPECT_EQ(run(same, tokens_).remote_tokens, 512);
  // Bits do not depend on it.
  EngineOptions plain = of_group("c", secret, true);
  plain.instruction_set = "portable";
  EXPECT_EQ(run_at(plain, tokens_).remote_tokens, 512);
}

}  // namespace
}  // namespace kvasir::testing
