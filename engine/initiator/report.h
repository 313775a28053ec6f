// What a command has to say: lines for people, or one JSON object for machines. main() owns it and prints it.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace uscst::initiator {

class Report {
 public:
  explicit Report(bool json) : json_(json) {}

  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    if (!json_) fmt::print("{}\n", fmt::format(format, std::forward<Args>(args)...));
  }
  nlohmann::json& object() { return object_; }
  void print() {
    if (json_) fmt::print("{}\n", object_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    std::fflush(stdout);
    json_printed_ = true;
  }
  bool printed() const { return json_printed_; }

 private:
  const bool json_;
  bool json_printed_ = false;
  nlohmann::json object_ = nlohmann::json::object();
};

}  // namespace uscst::initiator
