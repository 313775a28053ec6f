#include "engine/io/buffer.h"

#include <gtest/gtest.h>

#include <bit>
#include <numeric>
#include <set>

namespace uscst::io {
namespace {

constexpr std::size_t kSlice = BufferPool::kSliceBytes;

TEST(BufferBudgetTest, NeverGoesBeyondItsLimit) {
  BufferBudget budget(100);
  EXPECT_TRUE(budget.take(60));
  EXPECT_FALSE(budget.take(41));
  EXPECT_TRUE(budget.take(40));
  EXPECT_FALSE(budget.take(1));
  EXPECT_FALSE(budget.take(~std::uint64_t{0}));
  budget.give_back(100);
  EXPECT_EQ(budget.used_bytes(), 0U);
}

TEST(BufferPoolTest, CutsABufferIntoPageAlignedSlices) {
  BufferBudget budget(100 * kSlice);
  BufferPool pool(budget);
  Buffer buffer;
  ASSERT_TRUE(pool.allocate(2 * kSlice + 512, buffer));
  EXPECT_EQ(buffer.length_bytes(), 2 * kSlice + 512);
  ASSERT_EQ(buffer.slice_count(), 3U);
  EXPECT_EQ(buffer.slice(0).size(), kSlice);
  EXPECT_EQ(buffer.slice(2).size(), 512U);
  std::set<const std::uint8_t*> starts;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::bit_cast<std::uintptr_t>(buffer.slice(i).data()) % 4096, 0U);
    starts.insert(buffer.slice(i).data());
  }
  EXPECT_EQ(starts.size(), 3U);
  EXPECT_EQ(budget.used_bytes(), 3 * kSlice);
  buffer.reset();
  buffer.reset();
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(budget.used_bytes(), 0U);
}

TEST(BufferPoolTest, TheLatestSliceIsUsedAgainFirst) {
  BufferBudget budget(100 * kSlice);
  BufferPool pool(budget);
  Buffer a, b;
  ASSERT_TRUE(pool.allocate(100, a));
  ASSERT_TRUE(pool.allocate(2 * kSlice, b));
  EXPECT_EQ(pool.misses(), 1U);
  const std::uint8_t* first = b.slice(0).data();
  const std::uint8_t* second = b.slice(1).data();
  b.reset();
  ASSERT_TRUE(pool.allocate(2 * kSlice, b));
  EXPECT_EQ(b.slice(0).data(), first);
  EXPECT_EQ(b.slice(1).data(), second);
  EXPECT_EQ(pool.hits(), 2U);
}

TEST(BufferPoolTest, OneBudgetBoundsAllPools) {
  BufferBudget budget(4 * kSlice);
  BufferPool one(budget), other(budget);
  Buffer a, b, c;
  EXPECT_TRUE(one.allocate(3 * kSlice, a));
  EXPECT_FALSE(other.allocate(2 * kSlice, b));
  EXPECT_TRUE(b.empty());
  EXPECT_TRUE(other.allocate(kSlice, b));
  EXPECT_FALSE(one.allocate(1, c));
  a.reset();
  EXPECT_TRUE(other.allocate(3 * kSlice, c));
  EXPECT_EQ(budget.used_bytes(), 4 * kSlice);
}

TEST(BufferPoolTest, ABufferLargerThanAnArena) {
  BufferBudget budget(16 << 20);
  BufferPool pool(budget);
  Buffer buffer;
  ASSERT_TRUE(pool.allocate(5 << 20, buffer));
  EXPECT_EQ(buffer.slice_count(), 80U);
  buffer.fill_zero();
  EXPECT_FALSE(pool.allocate(~std::size_t{0}, buffer));
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(pool.allocate(0, buffer));
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(budget.used_bytes(), 0U);
}

TEST(BufferTest, CopiesAcrossSlicesAndCutsAtTheEnd) {
  BufferBudget budget(100 * kSlice);
  BufferPool pool(budget);
  Buffer buffer;
  ASSERT_TRUE(pool.allocate(2 * kSlice + 100, buffer));
  buffer.fill_zero();
  std::vector<std::uint8_t> data(kSlice + 50), back(kSlice + 50);
  std::iota(data.begin(), data.end(), std::uint8_t{1});
  EXPECT_EQ(buffer.copy_in(kSlice - 25, data), data.size());
  EXPECT_EQ(buffer.copy_out(kSlice - 25, back), back.size());
  EXPECT_EQ(back, data);
  EXPECT_EQ(buffer.slice(0)[kSlice - 26], 0);
  EXPECT_EQ(buffer.slice(0)[kSlice - 25], 1);
  EXPECT_EQ(buffer.slice(2)[25], 0);
  EXPECT_EQ(buffer.copy_in(2 * kSlice + 90, data), 10U);
  EXPECT_EQ(buffer.copy_in(2 * kSlice + 100, data), 0U);
  EXPECT_EQ(buffer.copy_out(~std::size_t{0}, back), 0U);
}

TEST(BufferTest, PartsOfARange) {
  BufferBudget budget(100 * kSlice);
  BufferPool pool(budget);
  Buffer buffer;
  ASSERT_TRUE(pool.allocate(3 * kSlice, buffer));
  boost::container::small_vector<iovec, 2> parts;
  buffer.append_parts(10, 5, parts);
  buffer.append_parts(kSlice - 1, kSlice + 2, parts);
  buffer.append_parts(3 * kSlice - 4, 100, parts);
  buffer.append_parts(3 * kSlice, 100, parts);
  buffer.append_parts(0, 0, parts);
  ASSERT_EQ(parts.size(), 5U);
  EXPECT_EQ(parts[0].iov_base, buffer.slice(0).data() + 10);
  EXPECT_EQ(parts[0].iov_len, 5U);
  EXPECT_EQ(parts[1].iov_len, 1U);
  EXPECT_EQ(parts[2].iov_base, buffer.slice(1).data());
  EXPECT_EQ(parts[2].iov_len, kSlice);
  EXPECT_EQ(parts[3].iov_len, 1U);
  EXPECT_EQ(parts[4].iov_len, 4U);
}

TEST(BufferTest, MovingHandsOverAndGivesBackTheOld) {
  BufferBudget budget(100 * kSlice);
  BufferPool pool(budget);
  Buffer a, b;
  ASSERT_TRUE(pool.allocate(3 * kSlice, a));
  ASSERT_TRUE(pool.allocate(kSlice, b));
  const std::uint8_t* start = a.slice(0).data();
  b = std::move(a);
  EXPECT_EQ(budget.used_bytes(), 3 * kSlice);
  EXPECT_EQ(b.slice(0).data(), start);
  Buffer c(std::move(b));
  EXPECT_EQ(c.length_bytes(), 3 * kSlice);
  a.reset();  // moved from: nothing to give back
  b.reset();
  EXPECT_EQ(budget.used_bytes(), 3 * kSlice);
}

}  // namespace
}  // namespace uscst::io
