// What the load generator makes of bytes and times, without a server.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "bench/serve/answer.h"
#include "bench/serve/answer_reader.h"
#include "bench/serve/load_chart.h"
#include "bench/serve/load_figures.h"
#include "bench/serve/load_prompts.h"

namespace kvasir::bench {
namespace {

struct ReadAnswer {
  std::vector<std::string> events;
  std::string body;
  int status = 0;
  bool is_done = false;
  bool is_good = true;
};

// In pieces of that many bytes.
ReadAnswer read_in_pieces(std::string_view bytes, size_t piece) {
  AnswerReader reader;
  ReadAnswer result;
  while (!bytes.empty() && result.is_good) {
    const auto on_event = [&](std::string_view data) { result.events.emplace_back(data); };
    result.is_good = reader.take(bytes.substr(0, piece), on_event).ok();
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  result.body = reader.body();
  result.status = reader.status();
  result.is_done = reader.is_done();
  return result;
}

constexpr std::string_view kStream =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    "10\r\n: here\n\ndata: a\n\r\n"
    "13;x=y\r\n\ndata: b\ndata:c\r\n\n\r\n"
    "6\r\ndata: \r\n0\r\n\r\n";

TEST(AnswerReader, EventsAreTheSameHoweverTheyAreCut) {
  const std::vector<std::string> events = {"", "a", "b\nc"};
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, kStream.size()}) {
    const ReadAnswer read = read_in_pieces(kStream, piece);
    EXPECT_TRUE(read.is_good) << piece;
    EXPECT_TRUE(read.is_done) << piece;
    EXPECT_EQ(read.events, events) << piece;
  }
}

TEST(AnswerReader, WholeBodiesAreKept) {
  const ReadAnswer sized = read_in_pieces(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Busy\r\nContent-LENGTH: 4\r\n\r\nfullmore", 3);
  EXPECT_EQ(sized.status, 429);
  EXPECT_EQ(sized.body, "full");
  EXPECT_TRUE(sized.is_done);
  AnswerReader unsized;
  ASSERT_TRUE(unsized.take("HTTP/1.0 200 OK\r\n\r\nto the end", {}).ok());
  EXPECT_TRUE(unsized.finish().ok());
  EXPECT_EQ(unsized.body(), "to the end");
  AnswerReader cut;
  ASSERT_TRUE(cut.take("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", {}).ok());
  EXPECT_FALSE(cut.finish().ok());
}

TEST(AnswerReader, WhatIsNoAnswerIsAnError) {
  const std::string long_line(100'000, 'x');
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::string> wrong = {"SSH-2.0\r\n",
                                          "\r\n",
                                          "HTTP/1.1 200 OK\r\nbroken\r\n\r\n",
                                          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                                          chunked + "zz\r\n",
                                          chunked + "1\r\nab\r\n",
                                          chunked + "ffffffffffffffffff\r\n",
                                          "HTTP/1.1 " + long_line};
  for (const std::string& bytes : wrong) {
    EXPECT_FALSE(read_in_pieces(bytes, 1000).is_good) << bytes.substr(0, 80);
  }
}

TEST(LoadAnswer, ChunksOfBothKindsAddUp) {
  Answer answer;
  read_chunk("", 1, answer);
  read_chunk(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})", 2, answer);
  read_chunk(R"({"choices":[{"delta":{"reasoning_content":"hm "}}]})", 3, answer);
  read_chunk(R"({"choices":[{"delta":{"content":"so"}}]})", 4, answer);
  read_chunk(R"({"choices":[{"text":" on"}]})", 6, answer);
  EXPECT_EQ(answer.generated_tokens, 3);
  EXPECT_EQ(answer.cached_tokens, -1);
  read_chunk(R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,)"
             R"("prompt_tokens_details":{"cached_tokens":0}}})",
             7, answer);
  read_chunk("[DONE]", 8, answer);
  EXPECT_EQ(answer.text, "hm so on");
  EXPECT_EQ(answer.first_event_ms, 1);
  EXPECT_EQ(answer.token_ms, (std::vector<double>{3, 4, 6}));
  EXPECT_EQ(answer.prompt_tokens, 9);
  EXPECT_EQ(answer.generated_tokens, 5);
  EXPECT_EQ(answer.cached_tokens, 0);
  EXPECT_TRUE(answer.ok());
}

TEST(LoadAnswer, ErrorsInTheStreamAreErrors) {
  for (const char* data : {R"({"error":{"message":"broken"}})", R"({"error":{}})", "{no json"}) {
    Answer answer;
    read_chunk(data, 1, answer);
    EXPECT_FALSE(answer.ok()) << data;
  }
  Answer fine;
  read_chunk(R"({"error":null,"choices":7,"usage":null})", 1, fine);
  EXPECT_TRUE(fine.ok());
}

TEST(LoadAnswer, AddressesAreReadWhole) {
  const auto plain = parse_url("http://localhost:8080/");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->host + " " + plain->port + plain->base_path, "localhost 8080");
  const auto ip6 = parse_url("http://[::1]/api");
  ASSERT_TRUE(ip6.ok());
  EXPECT_EQ(ip6->host + " " + ip6->port + ip6->base_path, "::1 80/api");
  for (const char* url : {"", "localhost:80", "https://a", "http://", "http://a:", "http://a:b"}) {
    EXPECT_FALSE(parse_url(url).ok()) << url;
  }
}

Answer answer_of(double started_ms, std::vector<double> token_ms) {
  Answer answer{.started_ms = started_ms, .token_ms = std::move(token_ms)};
  answer.generated_tokens = std::ssize(answer.token_ms);
  return answer;
}

TEST(LoadFigures, QuantilesAreValuesThatWereMeasured) {
  std::vector<double> values;
  for (int i = 100; i > 0; --i) values.push_back(i);
  const Quantiles hundred = quantiles_of(values);
  EXPECT_EQ(hundred.p50, 50);
  EXPECT_EQ(hundred.p95, 95);
  EXPECT_EQ(hundred.p99, 99);
  EXPECT_EQ(hundred.worst, 100);
  EXPECT_EQ(quantiles_of({7}).p99, 7);
  EXPECT_EQ(quantiles_of({}).worst, 0);
}

TEST(LoadFigures, GoodputCountsWhoWasServedWithinBounds) {
  std::vector<Answer> answers = {answer_of(0, {100, 200}), answer_of(0, {1500, 1600}),
                                 answer_of(0, {100, 900}), answer_of(0, {100, 150})};
  answers[3].error = "lost";
  const LoadFigures figures = figures_of(answers, {.first_token_ms = 1000, .gap_ms = 500});
  EXPECT_EQ(figures.requests, 4);
  EXPECT_EQ(figures.failed, 1);
  EXPECT_EQ(figures.failure, "lost");
  EXPECT_EQ(figures.goodput, 0.25);
  EXPECT_EQ(figures.first_token_ms.worst, 1500);
  EXPECT_EQ(figures.gap_ms.worst, 800);
  EXPECT_EQ(figures.generated_tokens, 8);
  EXPECT_DOUBLE_EQ(figures.tokens_per_second, 8 / 1.5);
  EXPECT_EQ(figures.cached_tokens, -1);
}

TEST(LoadFigures, RateTogetherLooksAtTheTimeInWhichAllAreServed) {
  const std::vector<Answer> answers = {answer_of(0, {0, 10, 20, 30, 40}),
                                       answer_of(10, {0, 10, 20})};
  EXPECT_DOUBLE_EQ(rate_together(answers), 4 / 0.02);  // from 10 to 30 ms
  const std::vector<Answer> apart = {answer_of(0, {0, 1}), answer_of(10, {0, 1})};
  EXPECT_EQ(rate_together(apart), 0);
  EXPECT_EQ(rate_together({}), 0);
}

TEST(LoadFigures, MetricsAreFoundByNameAndLabel) {
  const std::string_view text =
      "# HELP a_total words\na_total{m=\"x\",source=\"ram\"} 3\na_total{m=\"x\",source=\"disk\"} "
      "4.5\na 7\nbroken";
  EXPECT_EQ(metric_of(text, "a_total", "source=\"disk\""), 4.5);
  EXPECT_EQ(metric_of(text, "a_total"), 3);
  EXPECT_EQ(metric_of(text, "a"), 7);
  EXPECT_EQ(metric_of(text, "b"), 0);
}

TEST(LoadPrompts, EqualSeedsGiveEqualWords) {
  EXPECT_EQ(made_up_words(5, 20), made_up_words(5, 20));
  EXPECT_NE(made_up_words(5, 20), made_up_words(6, 20));
  const auto body = Json::parse(chat_completion("m", {{"user", "\"hi\""}}, 3).body, "body");
  ASSERT_TRUE(body.ok());
  const Json* messages = body->find("messages");
  ASSERT_TRUE(messages != nullptr && messages->as_array()->size() == 1);
  EXPECT_EQ(*messages->as_array()->front().find("content")->as_string(), "\"hi\"");
}

TEST(LoadChart, DrawsABarForEachServer) {
  const ScenarioResult one{.scenario = "decode",
                           .target = "a<b",
                           .figures = {.first_token_ms = {1, 2, 3, 4}, .gap_ms = {1, 1, 1, 1}}};
  const std::string svg = to_svg(std::vector<ScenarioResult>{one, one});
  EXPECT_NE(svg.find("decode, a&lt;b"), std::string::npos);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

}  // namespace
}  // namespace kvasir::bench
