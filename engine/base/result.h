// Errors as values: what failed, as an errno that a management write can answer with, and a sentence for the log.
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <utility>

namespace uscst::base {

// An errno (positive) with a text that names the object, the value and what would be right.
struct Error {
  int code = EINVAL;
  std::string text;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(int code, std::string text) { return std::unexpected(Error{code, std::move(text)}); }

}  // namespace uscst::base
