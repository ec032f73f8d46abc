// kvasir cache why: what of a prompt a store has, and where it parts from what the store has.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/json.h"
#include "base/text_file.h"
#include "cli/commands.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "cli/store_options.h"
#include "kvasir/service.h"
#include "server/explain_prompt.h"

namespace kvasir::cli {
namespace {

struct WhyOptions {
  ModelFlags model;
  StoreFlags store;
  bool json = false;
  bool keeps_reasoning = false;
  std::string file;
};

// Looking makes nothing: neither a store nor a book. Null: there is none.
template <class Book>
Result<std::shared_ptr<Book>> existing_book(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::shared_ptr<Book>();
  KVASIR_ASSIGN_OR_RETURN(std::unique_ptr<Book> book,
                          Book::open({.path = path, .read_only = true}));
  return std::shared_ptr<Book>(std::move(book));
}

Result<server::Served> served_for(const WhyOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(EngineOptions chosen, engine_options(options.model, true));
  KVASIR_ASSIGN_OR_RETURN(StoreOptions store, store_options(options.store));
  store.read_only = true;
  store.must_exist = true;
  const std::string book_path = said_turns_path(store);
  const std::string replies_path = conversations_path(store);
  chosen.store = std::move(store);
  KVASIR_ASSIGN_OR_RETURN(Engine engine, open_with_notes(chosen));
  note_all(engine.store_notes());
  server::Served served;
  served.model = {.fingerprint = engine.info().fingerprint,
                  .keeps_reasoning = options.keeps_reasoning};
  KVASIR_ASSIGN_OR_RETURN(served.book, existing_book<ReplayBook>(book_path));
  KVASIR_ASSIGN_OR_RETURN(served.conversations, existing_book<ConversationBook>(replies_path));
  served.service = std::make_unique<Service>(std::move(engine), ServiceOptions{});
  Result<ChatForm> form = ChatForm::create(served.service->engine());
  if (form.ok()) served.form = std::move(*form);
  return served;
}

std::string shown(const std::string& text) { return Json(text).dump(); }

void print_lines(const server::PromptExplanation& told) {
  std::printf("%s\n",
              fmt::format("prompt         {:>9} tokens, read as {}\n"
                          "seen before    {:>9} tokens\n"
                          "goes on from   {:>9} tokens",
                          told.prompt_tokens, told.dialect, told.seen_tokens, told.reusable_tokens)
                  .c_str());
  if (told.place) {
    std::printf("changed        %s\nbehind         %s\n", told.place->words().c_str(),
                shown(told.before_place).c_str());
  } else if (told.seen_tokens == 0) {
    std::printf("nothing in the store begins so\n");
  } else {
    std::printf("nothing changed: what the store has goes no further, or no otherwise\n");
  }
}

void print_json(const server::PromptExplanation& told) {
  Json::Object object{{"dialect", told.dialect},
                      {"prompt_tokens", told.prompt_tokens},
                      {"seen_tokens", told.seen_tokens},
                      {"reusable_tokens", told.reusable_tokens},
                      {"changed", told.place ? Json(told.place->words()) : Json()},
                      {"behind", told.place ? Json(told.before_place) : Json()},
                      {"notes", notes_json()}};
  std::printf("%s\n", Json(std::move(object)).dump().c_str());
}

Status explain(const WhyOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const std::string request, read_text_file(options.file));
  KVASIR_ASSIGN_OR_RETURN(server::Served served, served_for(options));
  KVASIR_ASSIGN_OR_RETURN(const server::PromptExplanation told,
                          server::explain_prompt(served, request, options.file));
  if (options.json) {
    print_json(told);
  } else {
    print_lines(told);
  }
  return flush_output();
}

constexpr const char* kHelp =
    R"(FILE is the body of a request, of any of the three dialects, or plain text.

Example:
  kvasir cache why request.json
      which message, field and character differs from what the store has, so that
      the tokens behind it have to be computed again
)";

}  // namespace

void add_cache_why_command(Command cache) {
  auto options = std::make_shared<WhyOptions>();
  Command command =
      cache.add_command("why", "why a prompt is not reused: where it parts from the store");
  command.add_option("file", options->file, "a request's body, or a text")
      .value_name("FILE")
      .required();
  add_model_options(command, options->model);
  add_context_option(command, options->model);
  add_store_options(command, options->store, false);
  command.add_flag("--keep-reasoning", options->keeps_reasoning, "as the server was started");
  add_json_option(command, options->json);
  command.add_closing(kHelp);
  on_chosen(command, options, explain);
}

}  // namespace kvasir::cli
