// hold --commands: one command a line from standard input, one line of answer each, while the session stays up.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "engine/initiator/commands.h"
#include "engine/initiator/pattern.h"

namespace uscst::initiator {
namespace {

constexpr std::uint32_t kMaximumBlocks = 65536;

struct Request {
  std::string verb;
  std::uint16_t lun = 0;
  std::uint64_t lba = 0;
  std::uint32_t blocks = 0;
};

base::Result<Request> parse_request(const std::string& line) {
  std::istringstream words(line);
  Request request;
  if (!(words >> request.verb >> request.lun) || request.lun > 16383)
    return base::fail(EINVAL, "VERB LUN ... expected");
  if (request.verb == "capacity") return request;
  if (request.verb != "read" && request.verb != "write") return base::fail(EINVAL, "no such verb");
  if (!(words >> request.lba >> request.blocks) || request.blocks == 0 || request.blocks > kMaximumBlocks) {
    return base::fail(EINVAL, fmt::format("{} LUN LBA BLOCKS expected", request.verb));
  }
  return request;
}

base::Result<std::string> carry_out(Context& context, const Request& request) {
  const srp::Lun lun = make_lun(request.lun);
  auto size = context.session.capacity(lun);
  if (!size) return std::unexpected(size.error());
  if (request.verb == "capacity") return fmt::format(" {} {}", size->blocks, size->block_bytes);
  std::vector<std::uint8_t> data(std::size_t{request.blocks} * size->block_bytes);
  const bool reads = request.verb == "read";
  if (!reads && size->block_bytes >= kMinimumPatternBytes) {
    fill_pattern(data, size->block_bytes, request.lba, context.options.seed);
  }
  const Answer answer =
      reads ? context.session.execute(lun, read_blocks(request.lba, request.blocks), data.size())
            : context.session.execute_out(lun, write_blocks(request.lba, request.blocks), std::move(data));
  if (!answer.outcome.good()) return std::unexpected(error_of(answer.outcome, request.verb));
  return std::string();
}

void answer(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

}  // namespace

base::Status take_commands(Context& context) {
  answer("ok logged in");
  for (std::string line; std::getline(std::cin, line);) {
    auto request = parse_request(line);
    if (!request) {
      answer("error " + request.error().text);
      continue;
    }
    auto done = carry_out(context, *request);
    answer(done ? "ok" + *done : "error " + done.error().text);
  }
  return {};
}

}  // namespace uscst::initiator
