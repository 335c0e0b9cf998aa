// The CPU allocator of this process: counts what tensors hold, and keeps freed blocks for reuse.
//
// glibc gives large blocks back to the kernel, so a training step would fault in and zero the same pages again and again.
// Steps repeat their sizes exactly, so a free list by size finds a block nearly always. Numbers are in docs/measurements.md.
#include "core/guard.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include <sys/mman.h>

namespace {

constexpr size_t alignment = 64;
constexpr size_t smallest_cached = 64 << 10; // below this malloc is quicker than the lock
constexpr size_t page = 4096;
constexpr size_t huge_page = size_t{2} << 20;
constexpr size_t huge_from = size_t{4} << 20;

struct Counters {
  std::atomic<int64_t> allocated{0}, peak{0}, reserved{0}, blocks{0};

  void add(int64_t bytes) {
    blocks.fetch_add(1, std::memory_order_relaxed);
    const int64_t now = allocated.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t seen = peak.load(std::memory_order_relaxed);
    while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
    }
  }

  void remove(int64_t bytes) {
    blocks.fetch_sub(1, std::memory_order_relaxed);
    allocated.fetch_sub(bytes, std::memory_order_relaxed);
  }
};

// Lives for ever: tensors in static storage are freed after any destructor of ours would have run.
Counters& counters() {
  static auto* instance = new Counters;
  return *instance;
}

// In front of every block, so that the data's address alone frees it (libtorch's raw_allocate demands that) and its size is known.
struct Header {
  size_t bytes;    // as asked for
  size_t capacity; // as got from malloc, this header included
};

constexpr size_t header_bytes = alignment;

Header* header_of(void* data) { return reinterpret_cast<Header*>(static_cast<char*>(data) - header_bytes); }

class FreeLists {
 public:
  void* take(size_t capacity) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = lists_.find(capacity);
    if (found == lists_.end() || found->second.empty()) {
      return nullptr;
    }
    void* data = found->second.back();
    found->second.pop_back();
    cached_ -= capacity;
    return data;
  }

  bool put(void* data, size_t capacity) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (cached_ + capacity > limit_) {
      return false;
    }
    lists_[capacity].push_back(data);
    cached_ += capacity;
    return true;
  }

  void clear() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto& [capacity, list] : lists_) {
      for (void* data : list) {
        std::free(data);
        counters().reserved.fetch_sub(static_cast<int64_t>(capacity), std::memory_order_relaxed);
      }
    }
    lists_.clear();
    cached_ = 0;
  }

  void limit(size_t bytes) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      limit_ = bytes;
    }
    if (bytes == 0) {
      clear();
    }
  }

 private:
  std::mutex mutex_;
  std::unordered_map<size_t, std::vector<void*>> lists_;
  size_t cached_ = 0;
  size_t limit_ = size_t{4} << 30;
};

FreeLists& free_lists() {
  static auto* instance = new FreeLists;
  return *instance;
}

size_t capacity_for(size_t bytes) {
  const size_t unit = bytes >= smallest_cached ? page : alignment;
  return (bytes + unit - 1) / unit * unit;
}

void* try_system(size_t capacity) {
  void* data = nullptr;
  if (posix_memalign(&data, capacity >= huge_from ? huge_page : alignment, capacity) != 0) {
    return nullptr;
  }
  if (capacity >= huge_from) {
    madvise(data, capacity, MADV_HUGEPAGE); // fewer faults and TLB misses where the kernel has huge pages; else nothing
  }
  return data;
}

void* from_system(size_t capacity) {
  if (void* data = try_system(capacity)) {
    return data;
  }
  free_lists().clear(); // the cache may hold exactly what is missing
  if (void* data = try_system(capacity)) {
    return data;
  }
  throw opt::classified(OPT_OUT_OF_MEMORY, "out of memory: cannot allocate " + std::to_string(capacity) + " bytes on the CPU");
}

void* obtain(size_t capacity) {
  if (capacity >= smallest_cached) {
    if (void* cached = free_lists().take(capacity)) {
      return cached;
    }
  }
  void* data = from_system(capacity);
  counters().reserved.fetch_add(static_cast<int64_t>(capacity), std::memory_order_relaxed);
  return data;
}

void release(void* data) {
  if (data == nullptr) {
    return;
  }
  Header* block = header_of(data);
  const size_t capacity = block->capacity;
  counters().remove(static_cast<int64_t>(block->bytes));
  if (capacity < smallest_cached || !free_lists().put(block, capacity)) {
    std::free(block);
    counters().reserved.fetch_sub(static_cast<int64_t>(capacity), std::memory_order_relaxed);
  }
}

c10::DataPtr allocate_block(size_t bytes) {
  const c10::Device cpu(c10::DeviceType::CPU);
  if (bytes == 0) {
    return {nullptr, nullptr, &release, cpu};
  }
  const size_t capacity = capacity_for(bytes + header_bytes);
  void* block = obtain(capacity);
  *static_cast<Header*>(block) = {bytes, capacity};
  counters().add(static_cast<int64_t>(bytes));
  void* data = static_cast<char*>(block) + header_bytes;
  return {data, data, &release, cpu};
}

// `allocate` is const until 2.2 and not const after: the pure virtual function of the base decides which one this is.
template <class Base>
class CountingAllocator : public Base {
 public:
  c10::DataPtr allocate(size_t bytes) const { return allocate_block(bytes); }
  c10::DataPtr allocate(size_t bytes) { return allocate_block(bytes); }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const { std::memcpy(to, from, count); }
};

struct Installed {
  Installed() {
    static auto* allocator = new CountingAllocator<c10::Allocator>;
    c10::SetCPUAllocator(allocator, 1);
  }
};

const Installed installed;

} // namespace

OPT_API int32_t opt_memory_stats(opt_memory* stats) {
  return opt::guarded([&] {
    const Counters& c = counters();
    *stats = {c.allocated.load(), c.peak.load(), c.reserved.load(), c.blocks.load()};
  });
}

OPT_API int32_t opt_memory_reset_peak(void) {
  return opt::guarded([&] { counters().peak.store(counters().allocated.load()); });
}

OPT_API int32_t opt_memory_empty_cache(void) {
  return opt::guarded([&] { free_lists().clear(); });
}

OPT_API int32_t opt_memory_set_cache_limit(int64_t bytes) {
  return opt::guarded([&] {
    opt::require(bytes >= 0, "the cache limit must not be negative");
    free_lists().limit(static_cast<size_t>(bytes));
  });
}
