// A ToolReader gathers the tools of a request, whatever the dialect that writes them, into
// Call::form; the functions beside it read what is to be done with them. What is wrong is kept by
// the FieldReaders. A reader refers to its call; one thread.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "server/dialect.h"
#include "server/field_reader.h"

namespace kvasir::server {

inline constexpr size_t kToolsMax = 1024;

// A ClientTool is a tool as its client knows it. The model is told of functions alone, each with a
// name of its own.
struct ClientTool {
  std::string space;  // that it belongs to; empty: none
  std::string name;
  bool is_custom = false;  // takes a single text instead of an object
};

// By the name that the model is told; plain functions are not in it.
using ClientTools = std::map<std::string, ClientTool, std::less<>>;
ClientTool client_tool(const ClientTools& tools, const std::string& told_name);

// The field "name", which is one that a tool, or a space of tools, may have.
std::string read_tool_name(const FieldReader& reader);

// What the model calls a tool of a space: "space__tool".
std::string name_in_space(const std::string& space, const std::string& name);

class ToolReader {
 public:
  explicit ToolReader(Call& call) : call_(&call) {}

  // A function, which has its JSON schema under the field `schema`.
  void add_function(const FieldReader& tool, std::string_view schema,
                    const std::string& space = {});
  // A tool that takes a single text: to the model a function with one string, "input".
  void add_custom(const FieldReader& tool, const std::string& space = {});
  // A tool that nobody here has: it is left out, and told of in Call::ignored.
  void skip();

  const ClientTools& client_tools() const { return client_tools_; }

 private:
  // Adds it under the name that the field "name" says.
  void add(const FieldReader& reader, Tool tool, ClientTool client);

  Call* call_;
  std::set<std::string> names_;
  ClientTools client_tools_;
};

// The tool that the model has to call, by the name that it is told; `reader` has it under "name".
void choose_tool(const FieldReader& reader, std::string name, FormOptions& form);

// Whether the reply's calls are read, and how many, once tools and choice are known. Refuses the
// field `choice`, where it demands a call and there is nothing to call.
void settle_tools(const FieldReader& body, std::string_view choice, bool is_parallel, Call& call);

// {"type": "text"}, "json_object" or "json_schema": what the answer is to be. A schema stands in it
// under "schema", or where `holder` is not empty in the object of that name.
void read_answer_format(const FieldReader& format, std::string_view holder, FormOptions& form);

}  // namespace kvasir::server
