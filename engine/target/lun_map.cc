#include "engine/target/lun_map.h"

#include <algorithm>

namespace uscst::target {
namespace {

bool before(const LunMap::Entry& entry, std::uint16_t lun) { return entry.lun < lun; }

}  // namespace

std::size_t LunMap::Entries::size() const {
  std::size_t sum = 0;
  for (const auto& chunk : chunks_) sum += chunk ? chunk->size() : 0;
  return sum;
}

const LunMap::Entry* LunMap::Entries::find(std::uint16_t lun) const {
  const std::size_t index = lun >> kChunkBits;
  if (index >= chunks_.size() || !chunks_[index]) return nullptr;
  const Chunk& chunk = *chunks_[index];
  auto found = std::lower_bound(chunk.begin(), chunk.end(), lun, before);
  return found != chunk.end() && found->lun == lun ? &*found : nullptr;
}

void LunMap::Entries::set(Entry entry) {
  const std::size_t index = entry.lun >> kChunkBits;
  if (index >= chunks_.size()) chunks_.resize(index + 1);
  auto chunk = chunks_[index] ? std::make_shared<Chunk>(*chunks_[index]) : std::make_shared<Chunk>();
  auto place = std::lower_bound(chunk->begin(), chunk->end(), entry.lun, before);
  if (place != chunk->end() && place->lun == entry.lun) {
    *place = std::move(entry);
  } else {
    chunk->insert(place, std::move(entry));
  }
  chunks_[index] = std::move(chunk);
}

void LunMap::Entries::erase(std::uint16_t lun) {
  if (!find(lun)) return;
  const std::size_t index = lun >> kChunkBits;
  auto chunk = std::make_shared<Chunk>(*chunks_[index]);
  std::erase_if(*chunk, [lun](const Entry& entry) { return entry.lun == lun; });
  if (chunk->empty()) chunk.reset();
  chunks_[index] = std::move(chunk);
  while (!chunks_.empty() && !chunks_.back()) chunks_.pop_back();
}

std::vector<std::uint16_t> LunMap::luns_as_mapped() const {
  std::vector<const Entry*> mapped;
  for (const Entry& entry : entries) mapped.push_back(&entry);
  std::ranges::sort(mapped, {}, &Entry::sequence);
  std::vector<std::uint16_t> luns;
  luns.reserve(mapped.size());
  for (const Entry* entry : mapped) luns.push_back(entry->lun);
  return luns;
}

}  // namespace uscst::target
