#include "handlers/fd_store.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "engine/io/file_calls.h"

namespace uscst::handlers {
namespace {

bool is_in_memory(int fd) {
  struct statfs status{};
  return fstatfs(fd, &status) == 0 && status.f_type == TMPFS_MAGIC;
}

}  // namespace

void StoreRequest::operation_ended(int result) {
  if (kind_ == Kind::kOther) return complete(result);
  store_->transferred(*this, result);
}

FdStore::FdStore(int fd) : fd_(fd), in_memory_(is_in_memory(fd)) {}

FdStore::~FdStore() { close(fd_); }

io::Operation& FdStore::begin(StoreRequest& request, StoreContext context) {
  assert(context.reactor != nullptr);
  request.kind_ = StoreRequest::Kind::kOther;
  request.store_ = this;
  request.reactor_ = context.reactor;
  return request.operation_;
}

void FdStore::begin_transfer(StoreRequest& request, StoreContext context, const Extent& extent) {
  begin(request, context);
  request.extent_ = extent;
  request.moved_bytes_ = 0;
}

void FdStore::read(StoreRequest& request, StoreContext context, const Extent& extent) {
  begin_transfer(request, context, extent);
  request.kind_ = StoreRequest::Kind::kRead;
  transfer_rest(request);
}

void FdStore::write(StoreRequest& request, StoreContext context, const Extent& extent, io::Durability durability) {
  begin_transfer(request, context, extent);
  request.kind_ = StoreRequest::Kind::kWrite;
  request.durability_ = durability;
  transfer_rest(request);
}

void FdStore::transfer_rest(StoreRequest& request) {
  const Extent& extent = request.extent_;
  const std::size_t left = extent.length_bytes - request.moved_bytes_;
  if (left == 0) return request.complete(static_cast<std::int64_t>(request.moved_bytes_));
  request.parts_.clear();
  extent.data->append_parts(extent.data_offset_bytes + request.moved_bytes_, std::min(left, kMaximumCallBytes),
                            request.parts_);
  const std::span<const iovec> parts(request.parts_.data(), request.parts_.size());
  const std::uint64_t offset = extent.offset_bytes + request.moved_bytes_;
  const bool directly = in_memory_ && extent.length_bytes <= kMaximumDirectBytes;
  if (request.kind_ == StoreRequest::Kind::kRead) {
    if (directly) return transferred(request, io::read_file(fd_, parts, offset));
    request.reactor_->read(request.operation_, fd_, parts, offset);
  } else {
    if (directly) return transferred(request, io::write_file(fd_, parts, offset, request.durability_));
    request.reactor_->write(request.operation_, fd_, parts, offset, request.durability_);
  }
}

void FdStore::transferred(StoreRequest& request, int result) {
  if (result == -EINTR) return transfer_rest(request);
  if (result < 0) return request.complete(result);
  // The store ends before the range does: it was made shorter behind our back, or a device takes no more.
  if (result == 0) return request.complete(request.kind_ == StoreRequest::Kind::kRead ? -EIO : -ENOSPC);
  request.moved_bytes_ += static_cast<std::size_t>(result);
  transfer_rest(request);
}

void FdStore::flush(StoreRequest& request, StoreContext context) {
  io::Operation& operation = begin(request, context);
  context.reactor->sync(operation, fd_);
}

int FdStore::flush_now() { return fdatasync(fd_) == 0 ? 0 : -errno; }

}  // namespace uscst::handlers
