// Any text is a configuration or an error; every value that was read can be written so that it reads back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "compat/scstadmin/conf.h"
#include "compat/scstadmin/conf_old.h"

namespace {

using uscst::scstadmin::ConfNode;

// The grammar has no way to write a brace or a quote, nor a backslash together with a blank.
bool can_be_written(const std::string& word) {
  if (word.find(' ') != std::string::npos && word.find('\\') != std::string::npos) return false;
  return !word.empty() && word.find_first_of("{}\"\n\t\r\f\v") == std::string::npos;
}

void check_round_trip(const ConfNode& node) {
  for (const auto& [name, child] : node.children) {
    if (can_be_written(name)) {
      const auto again = uscst::scstadmin::parse_conf("x " + uscst::scstadmin::quote_conf_value(name) + "\n");
      if (!again || !again->below("x").contains(name)) std::abort();
    }
    check_round_trip(child);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(data, data + size);
  if (uscst::scstadmin::is_old_conf(text)) {
    uscst::scstadmin::Current current;
    current.drivers["d"]["t"];
    static_cast<void>(uscst::scstadmin::convert_old_conf(text, current, {"d"}));
  }
  const auto conf = uscst::scstadmin::parse_conf(text);
  if (conf) check_round_trip(*conf);
  return 0;
}
