// What a directory of the tree is made of. A Directory is a view of an engine object: it holds nothing but the way to
// the object and makes its entries when asked. Owned by the Tree's nodes; control thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/target/attribute.h"

namespace uscst::sysfsfs {

inline constexpr std::size_t kPageBytes = 4096;               // of one write, and the size that stat(2) shows
inline constexpr std::size_t kContentBytes = kPageBytes - 1;  // SCST prints into a page, and a NUL ends what it prints

// A writer that waits. `give_up`, where the file sets it, takes back what the writer waits for when a signal makes it
// leave; without it the work goes on.
struct Writer {
  std::function<void()> give_up{};
};

// One attribute file.
class File {
 public:
  virtual ~File() = default;
  // The whole content as of now; what is beyond kContentBytes is cut off by the caller.
  virtual base::Result<std::string> content() { return base::fail(EIO, "the attribute cannot be read"); }
  // The same where the text may come later: `done` is called once. What the tree calls.
  virtual void load(target::ShowDone done) { done(content()); }
  // One command: at most kPageBytes, no NUL in it. `done` is called once, now or later.
  virtual void store(std::string text, target::Done done) {
    (void)text;
    done(base::fail(EIO, "the attribute cannot be written"));
  }
  // Whether NULs are part of what is written.
  virtual bool takes_nuls() const { return false; }
  // The same for files whose writers can take their work back. What the tree calls; `writer` is there only as long as
  // this call.
  virtual void store_for(Writer& writer, std::string text, target::Done done) {
    (void)writer;
    store(std::move(text), std::move(done));
  }
  // False once what the file stands for is gone although its directory is there.
  virtual bool exists() const { return true; }
};

class Directory;

enum class EntryKind : std::uint8_t { kFile, kDirectory, kLink };

struct Entry {
  EntryKind kind = EntryKind::kFile;
  mode_t mode = 0;
  std::uint64_t identity = 0;  // tells the object from an earlier one of the same name
  std::unique_ptr<File> file{};
  std::unique_ptr<Directory> directory{};
  std::string link_text{};
};

struct Listed {
  std::string name;
  EntryKind kind = EntryKind::kFile;
  std::uint64_t identity = 0;  // as in Entry
};

class Directory {
 public:
  virtual ~Directory() = default;
  // Asked only while the parent exists; nothing else is called once it answers false.
  virtual bool exists() const { return true; }
  virtual std::optional<Entry> find(std::string_view name) = 0;
  virtual void list(std::vector<Listed>& into) = 0;
  virtual std::size_t subdirectory_count() = 0;
};

Entry file_entry(mode_t mode, std::unique_ptr<File> file, std::uint64_t identity = 0);
Entry directory_entry(std::unique_ptr<Directory> directory, std::uint64_t identity = 0);
Entry link_entry(std::string text, std::uint64_t identity = 0);

}  // namespace uscst::sysfsfs
