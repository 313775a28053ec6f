// The recorded runs of the stock scstadmin, replayed against the tree in memory: same exit status, same output, same
// files.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "compat/scstadmin/options.h"
#include "compat/scstadmin/program.h"
#include "tests/unit/scstadmin/fake_tree.h"

namespace uscst::scstadmin {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTarget = "fe80:0000:0000:0000:0000:00ff:fe00:0001";
constexpr const char* kRecordedDirectory = "/var/lib/scst-test";

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.is_open()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class RecordingsTest : public testing::TestWithParam<const char*> {
 protected:
  RecordingsTest()
      : data_(fs::path(USCST_SCSTADMIN_DATA)),
        work_(fs::path(testing::TempDir()) / ("scstadmin." + std::to_string(::getpid()))),
        tree_(read_file(data_ / "empty.dump"), read_file(data_ / "devices.dump"), kTarget) {
    fs::create_directories(work_);
  }
  ~RecordingsTest() override { fs::remove_all(work_); }

  // Configuration files are ours, backing files only names.
  std::string local(const std::string& word) const {
    const std::string with_target = replaced(word, "{TGT}", kTarget);
    if (with_target == "{DIR}" || with_target.ends_with(".conf")) return replaced(with_target, "{DIR}", work_.string());
    return replaced(with_target, "{DIR}", kRecordedDirectory);
  }

  std::string as_recorded(const std::string& text) const {
    return replaced(replaced(replaced(text, work_.string(), kRecordedDirectory), kTarget, "{TGT}"),
                    "/sys/kernel/scst_tgt", "{ROOT}");
  }

  void copy_conf(const std::string& name, const std::string& to) {
    std::ofstream(local(to), std::ios::binary)
        << replaced(replaced(read_file(data_ / name), "{DIR}", kRecordedDirectory), "{TGT}", kTarget);
  }

  struct Outcome {
    int status;
    std::string out;
    std::string err;
  };

  Outcome run(const std::string& command) {
    std::istringstream in(command);
    std::vector<std::string> words;
    std::string word;
    in >> word;  // {SCSTADMIN}
    while (in >> word) words.push_back(local(word));
    std::ostringstream out, err;
    std::istringstream nothing;
    Console console(out, err, nothing);
    const ParsedOptions parsed = parse_options(words);
    for (const std::string& error : parsed.errors) err << error << "\n";
    const int status = parsed.errors.empty() ? run_options(parsed.options, tree_, console) : 1;
    return {status, as_recorded(out.str()), as_recorded(err.str())};
  }

  fs::path data_;
  fs::path work_;
  FakeTree tree_;
};

// What Perl says about itself is not part of the interface.
std::string without_perl(const std::string& text) {
  std::string out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Use of uninitialized") || line.starts_with("Argument \"")) continue;
    out += line;
    if (!in.eof()) out += '\n';
  }
  return out;
}

// The number of a process is another in each run.
std::string without_process(std::string text) {
  const std::size_t start = text.find("DBG(");
  const std::size_t end = text.find(')', start);
  return start == std::string::npos || end == std::string::npos ? text : text.erase(start + 4, end - start - 4);
}

// Perl goes through a configuration in an order of its own, so only the lines can be compared; ours goes by name.
bool has_free_order(const std::string& command) { return command.find(" -config ") != std::string::npos; }

TEST_P(RecordingsTest, SameAsRecorded) {
  std::ifstream in(data_ / (std::string(GetParam()) + ".txt"));
  ASSERT_TRUE(in.is_open());
  int compared = 0;
  for (std::string line; std::getline(in, line);) {
    const auto op = nlohmann::json::parse(line);
    const std::string kind = op.value("op", "");
    const auto text = [&op](const char* name) { return op.at(name).get<std::string>(); };
    if (kind == "conf") copy_conf(text("name"), text("to"));
    if (kind == "file") {
      EXPECT_EQ(as_recorded(read_file(local(text("path")))), text("content")) << text("path");
      ++compared;
    }
    if (kind != "cmd") continue;
    const std::string command = text("cmd");
    if (command.ends_with(" -help") || command.ends_with(" -h")) continue;  // the words of the help are our own
    SCOPED_TRACE(command);
    const bool default_file = command.ends_with(" -config") || command.ends_with(" -check_config");
    if (default_file && fs::exists(kDefaultConf)) continue;
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.status, op.at("rc").get<int>());
    EXPECT_EQ(outcome.err, without_perl(text("stderr")));
    std::vector<std::string> got = lines_of(without_process(outcome.out));
    std::vector<std::string> wanted = lines_of(without_process(text("stdout")));
    if (has_free_order(command)) {
      std::sort(got.begin(), got.end());
      std::sort(wanted.begin(), wanted.end());
    }
    EXPECT_EQ(got, wanted);
    ++compared;
  }
  EXPECT_GE(compared, 7);
}

INSTANTIATE_TEST_SUITE_P(Stock, RecordingsTest,
                         testing::Values("simple", "srpt-masking", "alua", "bad", "commands", "big"),
                         [](const auto& param) { return replaced(param.param, "-", "_"); });

}  // namespace
}  // namespace uscst::scstadmin
