// Which devices a session sees under which LUNs: an immutable snapshot, made by the control thread, used by the
// session's reactor. Snapshots of one session share what did not change between them, so that a change of one LUN costs
// the same whether there are ten LUNs or ten thousand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <vector>

#include "engine/scsi/lun.h"
#include "engine/target/nexus.h"

namespace uscst::target {

struct LunMap {
  struct Entry {
    std::uint16_t lun = 0;
    bool read_only = false;      // of the LUN or of the device
    std::uint64_t sequence = 0;  // ascending in the order of mapping: REPORT LUNS keeps it within a bucket
    std::shared_ptr<NexusLun> nexus_lun;
    int thread_index = 0;  // Device::take_thread_index()
  };

  // Entries in ascending order of LUNs. Copies share their chunks.
  class Entries {
    using Chunk = std::vector<Entry>;  // never empty, ascending
    using Chunks = std::vector<std::shared_ptr<const Chunk>>;

   public:
    class Iterator {
     public:
      using value_type = Entry;
      using difference_type = std::ptrdiff_t;
      Iterator() = default;
      const Entry& operator*() const { return (*(*chunks_)[chunk_])[index_]; }
      const Entry* operator->() const { return &**this; }
      Iterator& operator++() {
        if (++index_ == (*chunks_)[chunk_]->size()) index_ = 0, ++chunk_, skip_gaps();
        return *this;
      }
      Iterator operator++(int) {
        Iterator before = *this;
        ++*this;
        return before;
      }
      friend bool operator==(const Iterator& a, const Iterator& b) {
        return a.chunk_ == b.chunk_ && a.index_ == b.index_;
      }

     private:
      friend class Entries;
      Iterator(const Chunks& chunks, std::size_t chunk) : chunks_(&chunks), chunk_(chunk) { skip_gaps(); }
      void skip_gaps() {
        while (chunk_ < chunks_->size() && !(*chunks_)[chunk_]) ++chunk_;
      }
      const Chunks* chunks_ = nullptr;
      std::size_t chunk_ = 0, index_ = 0;
    };

    Iterator begin() const { return {chunks_, 0}; }
    Iterator end() const { return {chunks_, chunks_.size()}; }
    bool empty() const { return begin() == end(); }
    std::size_t size() const;
    const Entry* find(std::uint16_t lun) const;
    void set(Entry entry);  // adds it or takes the place of the one with its LUN
    void erase(std::uint16_t lun);

   private:
    static constexpr unsigned kChunkBits = 7;  // LUNs of one chunk
    Chunks chunks_;                            // null where there is no LUN
  };

  Entries entries;
  scsi::LunAddressing address_method = scsi::LunAddressing::kPeripheral;
  int black_hole = 0;
  std::uint64_t version = 0;  // of all maps ever made: two are equal only if they are the same

  const Entry* find(std::uint16_t lun) const { return entries.find(lun); }
  std::vector<std::uint16_t> luns_as_mapped() const;
};

}  // namespace uscst::target
