#include "tests/unit/scsi/recording.h"

#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <fstream>
#include <utility>

#include "engine/base/bytes.h"

namespace uscst::scsi::test {
namespace {

constexpr std::size_t kHexColumns = 48;

// sg3_utils prints " 00     00 11 22 ...", sg_raw "00000000: 00 11 22 ...": hex digits from a fixed column on.
std::optional<std::size_t> hex_column(std::string_view line) {
  if (line.size() > 10 && line.substr(8, 2) == ": ") return 10;
  if (line.size() > 8 && line[0] == ' ' && std::isxdigit(static_cast<unsigned char>(line[1])) != 0 && line[7] == ' ')
    return 8;
  return std::nullopt;
}

void append_hex(std::string_view line, std::vector<std::uint8_t>& out) {
  auto column = hex_column(line);
  if (!column) return;
  auto bytes = base::parse_hex(line.substr(*column, kHexColumns + (*column == 8 ? 1 : 0)));
  if (bytes) out.insert(out.end(), bytes->begin(), bytes->end());
}

// The words of sg3_utils for the sense data that occur in the recordings.
std::optional<Sense> sense_of(std::string_view text) {
  if (text.find("Check Condition") == std::string_view::npos) return std::nullopt;
  static const std::array<std::pair<std::string_view, Sense>, 6> kWords{{
      {"Logical block address out of range", kLbaOutOfRange},
      {"Invalid field in cdb", kInvalidFieldInCdb},
      {"Invalid command operation code", kInvalidOpcode},
      {"Invalid message error", kInvalidMessage},
      {"Internal target failure", kHardwareFailure},
      {"No additional sense information", Sense{SenseKey::kDataProtect, 0, 0}},
  }};
  for (const auto& [words, sense] : kWords) {
    if (text.find(words) == std::string_view::npos) continue;
    Sense found = sense;
    if (auto at = text.find("Error in Command: byte "); at != std::string_view::npos) {
      FieldPointer field;
      std::from_chars(text.data() + at + 23, text.data() + text.size(), field.byte);
      if (auto bit = text.find(" bit ", at); bit != std::string_view::npos)
        field.bit = static_cast<std::uint8_t>(text[bit + 5] - '0');
      found.field = field;
    }
    return found;
  }
  ADD_FAILURE() << "sense data in unknown words: " << text;
  return std::nullopt;
}

std::ifstream open(std::string_view file) {
  std::ifstream in(std::string(USCST_VECTORS) + "/" + std::string(file));
  EXPECT_TRUE(in.is_open()) << file;
  return in;
}

}  // namespace

std::vector<Answer> read_recording(std::string_view file) {
  std::vector<Answer> answers;
  std::vector<std::string> texts;
  std::ifstream in = open(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("$ ") || line.starts_with("CDB: ")) {
      answers.push_back({line.substr(line.find(' ') + 1), {}, {}});
      texts.emplace_back();
    } else if (!answers.empty()) {
      append_hex(line, answers.back().bytes);
      texts.back() += line + ";";
    }
  }
  for (std::size_t i = 0; i < answers.size(); ++i) answers[i].sense = sense_of(texts[i]);
  return answers;
}

std::vector<std::uint8_t> recorded(std::string_view file, std::string_view request) {
  for (Answer& answer : read_recording(file)) {
    if (answer.request == request) return std::move(answer.bytes);
  }
  ADD_FAILURE() << file << " has no " << request;
  return {};
}

std::vector<SweptOpcode> read_sweep(std::string_view file) {
  std::vector<SweptOpcode> swept;
  std::ifstream in = open(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("0x") || line.find("NVMe") != std::string::npos) continue;  // sg_raw takes 60h-7Fh for NVMe
    const std::size_t tab = line.find('\t');
    swept.push_back({static_cast<std::uint8_t>(std::stoul(line.substr(2, tab - 2), nullptr, 16)),
                     std::stoul(line.substr(tab + 1)), sense_of(line)});
  }
  return swept;
}

}  // namespace uscst::scsi::test
