#include "distributed/distributed.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <cstring>

using namespace opt;

namespace {

thread_local std::vector<uint8_t> last_value;

// The libuv back end of 2.4 and later is absent from Debian's build, which then refuses to start.
template <class Options>
void prefer_plain_sockets(Options& options) {
  if constexpr (requires { options.useLibUV; }) {
    options.useLibUV = false;
  }
}

void answer(std::vector<uint8_t> bytes, uint8_t* value, int64_t capacity, int64_t* length) {
  *length = static_cast<int64_t>(bytes.size());
  if (*length <= capacity) {
    std::memcpy(value, bytes.data(), bytes.size());
  } else {
    last_value = std::move(bytes);
  }
}

std::vector<uint8_t> bytes_of(const uint8_t* data, int64_t length) { return std::vector<uint8_t>(data, data + length); }

} // namespace

OPT_API int32_t opt_store_tcp(const char* host, int32_t host_length, int32_t port, int32_t is_server, int64_t world,
                              int32_t wait_workers, int64_t timeout_ms, opt_store* result) {
  return guarded([&] {
    require(port >= 0 && port <= 65535, "the port must be in [0, 65535]");
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = is_server != 0;
    options.waitWorkers = wait_workers != 0;
    options.timeout = milliseconds(timeout_ms);
    if (world > 0) {
      options.numWorkers = static_cast<size_t>(world);
    }
    prefer_plain_sockets(options);
    auto made = c10::make_intrusive<c10d::TCPStore>(text_of(host, host_length), options);
    // A client of 1.13 has a second connection, read by a thread of its own, and a reset there ends the process. The kernel resets what
    // a dying server had not accepted yet. It accepts before it answers, so with an answer here it has both, unless many connect at once.
    made->check({"accepted"});
    *result = new StorePointer(std::move(made));
  });
}

OPT_API int32_t opt_store_prefix(const char* prefix, int32_t prefix_length, opt_store base, opt_store* result) {
  return guarded([&] {
    *result = new StorePointer(c10::make_intrusive<c10d::PrefixStore>(text_of(prefix, prefix_length), store(base)));
  });
}

OPT_API int32_t opt_store_port(opt_store handle, int32_t* port) {
  return guarded([&] {
    auto* tcp = dynamic_cast<c10d::TCPStore*>(store(handle).get());
    require(tcp != nullptr, "only a TCPStore has a port");
    *port = tcp->getPort();
  });
}

OPT_API int32_t opt_store_set(opt_store handle, const char* key, int32_t key_length, const uint8_t* value, int64_t length) {
  return guarded([&] { store(handle)->set(text_of(key, key_length), bytes_of(value, length)); });
}

OPT_API int32_t opt_store_get(opt_store handle, const char* key, int32_t key_length, int64_t timeout_ms, uint8_t* value,
                              int64_t capacity, int64_t* length) {
  return guarded([&] {
    const std::string name = text_of(key, key_length);
    store(handle)->wait({name}, milliseconds(timeout_ms));
    answer(store(handle)->get(name), value, capacity, length);
  });
}

OPT_API int32_t opt_store_last_value(uint8_t* value, int64_t capacity) {
  return guarded([&] {
    require(capacity >= static_cast<int64_t>(last_value.size()), "the buffer is smaller than the value");
    std::memcpy(value, last_value.data(), last_value.size());
    last_value = {};
  });
}

OPT_API int32_t opt_store_add(opt_store handle, const char* key, int32_t key_length, int64_t delta, int64_t* value) {
  return guarded([&] { *value = store(handle)->add(text_of(key, key_length), delta); });
}

OPT_API int32_t opt_store_compare_set(opt_store handle, const char* key, int32_t key_length, const uint8_t* expected,
                                      int64_t expected_length, const uint8_t* desired, int64_t desired_length, uint8_t* value,
                                      int64_t capacity, int64_t* length) {
  return guarded([&] {
    answer(store(handle)->compareSet(text_of(key, key_length), bytes_of(expected, expected_length), bytes_of(desired, desired_length)),
           value, capacity, length);
  });
}

OPT_API int32_t opt_store_check(opt_store handle, const char* key, int32_t key_length, int32_t* present) {
  return guarded([&] { *present = store(handle)->check({text_of(key, key_length)}) ? 1 : 0; });
}

OPT_API int32_t opt_store_wait(opt_store handle, const char* key, int32_t key_length, int64_t timeout_ms) {
  return guarded([&] { store(handle)->wait({text_of(key, key_length)}, milliseconds(timeout_ms)); });
}

OPT_API int32_t opt_store_delete(opt_store handle, const char* key, int32_t key_length, int32_t* deleted) {
  return guarded([&] { *deleted = store(handle)->deleteKey(text_of(key, key_length)) ? 1 : 0; });
}

OPT_API void opt_store_free(opt_store handle) {
  guarded([&] { delete static_cast<StorePointer*>(handle); });
}
