// What scstadmin prints and asks: standard output, standard error and input, or strings in a test. Owned by main(), one
// thread.
#pragma once

#include <fmt/format.h>

#include <istream>
#include <ostream>
#include <string_view>
#include <utility>

namespace uscst::scstadmin {

class Console {
 public:
  Console(std::ostream& out, std::ostream& err, std::istream& in) : out_(out), err_(err), in_(in) {}

  template <class... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    out_ << fmt::format(format, std::forward<Args>(args)...) << std::flush;
  }
  template <class... Args>
  void complain(fmt::format_string<Args...> format, Args&&... args) {
    err_ << fmt::format(format, std::forward<Args>(args)...) << std::flush;
  }
  std::istream& input() { return in_; }

 private:
  std::ostream& out_;
  std::ostream& err_;
  std::istream& in_;
};

}  // namespace uscst::scstadmin
