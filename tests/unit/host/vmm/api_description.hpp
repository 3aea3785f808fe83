// Firecracker's own description of its API (OpenAPI 2 in YAML), and a judge of requests that refuses what it does not name.
//
// Shape:  reads the YAML that this one file uses: nested maps, lists, flow lists, plain scalars; descriptions are left out. Of schemas it knows $ref, type,
//         required, properties, enum, minimum and maximum, and takes a member that is not listed for an error.
#pragma once

#include "host/vmm/launch_plan.hpp"
#include "shared/json/json.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::test {

class ApiDescription {
public:
  using json = nlohmann::json;

  explicit ApiDescription(const std::string& path) {
    std::ifstream file(path);
    std::size_t skip_deeper = std::string::npos;  // inside a description
    for (std::string line; std::getline(file, line);) {
      const auto indent = line.find_first_not_of(' ');
      if (indent == std::string::npos || line[indent] == '#') continue;
      if (skip_deeper != std::string::npos && indent > skip_deeper) continue;
      skip_deeper = std::string::npos;
      const auto text = line.substr(indent);
      if (text.starts_with("description:") || text.starts_with("summary:")) {
        skip_deeper = indent;
        continue;
      }
      lines_.push_back({indent, text});
    }
    document_ = read_block(0);
  }

  bool empty() const { return !document_.is_object() || !document_.contains("paths"); }

  /// Empty: the request is as described. Else what is wrong with it.
  std::string fault_of(const vmm::ControlRequest& request) const {
    const json* operation = find_operation(request);
    if (operation == nullptr) return request.method + " " + request.path + ": not described";
    const json parameters = operation->value("parameters", json::array());
    const json* schema = nullptr;
    for (const auto& parameter : parameters)
      if (parameter.value("in", "") == "body") schema = &parameter.at("schema");
    if (schema == nullptr) return request.body.empty() ? "" : request.path + ": has a body, but none is described";
    const auto body = parse_json(request.body);
    if (!body) return request.path + ": " + body.error().message();
    return fault_of_value(*body, *schema, request.path);
  }

private:
  struct Line {
    std::size_t indent;
    std::string text;
  };

  static json scalar(std::string text) {
    if (text == "true" || text == "false") return text == "true";
    if (text.size() > 1 && (text.front() == '"' || text.front() == '\'')) return text.substr(1, text.size() - 2);
    if (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos && text.size() < 18) return std::stoll(text);
    return text;
  }

  static json value_of(const std::string& text) {
    if (!text.starts_with('[')) return scalar(text);
    json list = json::array();
    std::string item;
    for (const char c : text.substr(1)) {
      if (c != ',' && c != ']') {
        if (c != ' ' || !item.empty()) item += c;
        continue;
      }
      if (!item.empty()) list.push_back(scalar(item));
      item.clear();
    }
    return list;
  }

  /// The map or list whose lines stand at `indent`, from the current line on.
  json read_block(std::size_t indent) {
    json block;
    while (at_ < lines_.size() && lines_[at_].indent == indent) {
      const bool is_item = lines_[at_].text.starts_with("- ");
      if (block.is_array() && !is_item) return block;  // a list may stand as deep as the key that it belongs to
      if (is_item)
        read_item(block, indent);
      else
        read_member(block, indent);
    }
    while (at_ < lines_.size() && lines_[at_].indent > indent) ++at_;  // the rest of a folded scalar
    return block;
  }

  void read_item(json& list, std::size_t indent) {
    auto& line = lines_[at_];
    line.text.erase(0, 2);
    line.indent = indent + 2;
    if (line.text.find(": ") == std::string::npos && !line.text.ends_with(':')) {
      list.push_back(scalar(line.text));
      ++at_;
    } else {
      list.push_back(read_block(indent + 2));
    }
  }

  void read_member(json& map, std::size_t indent) {
    const std::string text = lines_[at_++].text;
    const auto colon = text.find(':');
    if (colon == std::string::npos) return;
    const auto begin = text.find_first_not_of(' ', colon + 1);
    const std::string rest = begin == std::string::npos ? std::string() : text.substr(begin);
    const json name = scalar(text.substr(0, colon));
    const std::string key = name.is_string() ? name.get<std::string>() : text.substr(0, colon);
    if (!rest.empty() && rest != ">-")
      map[key] = value_of(rest);
    else if (at_ < lines_.size() && lines_[at_].indent > indent)
      map[key] = read_block(lines_[at_].indent);
    else if (at_ < lines_.size() && lines_[at_].indent == indent && lines_[at_].text.starts_with("- "))
      map[key] = read_block(indent);
    while (at_ < lines_.size() && lines_[at_].indent > indent) ++at_;
  }

  const json* find_operation(const vmm::ControlRequest& request) const {
    std::string method = request.method;
    std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const auto& [path, operations] : document_.at("paths").items())
      if (matches(path, request.path) && operations.contains(method)) return &operations.at(method);
    return nullptr;
  }

  static bool matches(std::string_view pattern, std::string_view path) {
    const auto brace = pattern.find('{');
    if (brace == std::string_view::npos) return pattern == path;
    return path.size() > brace && path.starts_with(pattern.substr(0, brace)) && path.find('/', brace) == std::string_view::npos;
  }

  const json& resolve(const json& schema) const {
    if (!schema.contains("$ref")) return schema;
    const auto reference = schema.at("$ref").get<std::string>();
    return document_.at("definitions").at(reference.substr(std::string_view("#/definitions/").size()));
  }

  std::string fault_of_value(const json& value, const json& reference, const std::string& where) const {
    const json& schema = resolve(reference);
    const auto type = schema.value("type", "object");
    const bool fits = type == "object"    ? value.is_object()
                      : type == "string"  ? value.is_string()
                      : type == "integer" ? value.is_number_integer()
                      : type == "boolean" ? value.is_boolean()
                                          : value.is_array();
    if (!fits) return where + ": is no " + type;
    if (schema.contains("enum")) {
      const auto& allowed = schema.at("enum");
      if (std::find(allowed.begin(), allowed.end(), value) == allowed.end())
        return where + ": " + value.dump() + " is not one of " + allowed.dump();
    }
    if (schema.contains("minimum") && value < schema.at("minimum")) return where + ": below its minimum";
    if (schema.contains("maximum") && value > schema.at("maximum")) return where + ": above its maximum";
    return type == "object" ? fault_of_object(value, schema, where) : "";
  }

  std::string fault_of_object(const json& value, const json& schema, const std::string& where) const {
    const json properties = schema.value("properties", json::object());
    for (const auto& name : schema.value("required", json::array()))
      if (!value.contains(name.get<std::string>())) return where + ": without " + name.get<std::string>();
    for (const auto& [name, member] : value.items()) {
      if (!properties.contains(name)) return where + "." + name + ": not described";
      const auto fault = fault_of_value(member, properties.at(name), where + "." + name);
      if (!fault.empty()) return fault;
    }
    return {};
  }

  std::vector<Line> lines_;
  std::size_t at_ = 0;
  json document_;
};

}  // namespace vigil::test
