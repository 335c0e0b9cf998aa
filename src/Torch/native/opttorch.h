// The flat C face of libtorch and c10d that Opt.Torch binds to.
//
// Rules of this ABI:
//  * every function returns a status (opt_status) unless its name says otherwise; results go through out-pointers;
//  * no C++ exception leaves the library; the text of the last failure on this thread is read with opt_last_error;
//  * integers have fixed sizes, text is UTF-8 with a length, booleans are int32_t;
//  * a handle is owned by whoever received it and given back once, by the matching *_free;
//  * calls on different handles may run on different threads at the same time, calls on one handle may not.
#pragma once

#include <stdint.h>

#if defined(__GNUC__)
#define OPT_API extern "C" __attribute__((visibility("default")))
#else
#define OPT_API extern "C"
#endif

#define OPT_ABI_VERSION 1

enum opt_status : int32_t {
  OPT_OK = 0,
  OPT_ERROR = 1,            // libtorch refused: wrong shape, dtype, device, ...
  OPT_INVALID_ARGUMENT = 2, // this library refused
  OPT_OUT_OF_MEMORY = 3,
  OPT_NOT_SUPPORTED = 4, // this build or this libtorch lacks it
  OPT_TIMEOUT = 5,       // a deadline of c10d passed
  OPT_PEER_LOST = 6,     // a connection of c10d broke
};

// One argument or result of a boxed operator call.
enum opt_tag : int32_t {
  OPT_NONE = 0,
  OPT_TENSOR = 1,      // pointer: opt_tensor; null means undefined
  OPT_INT = 2,         // integer
  OPT_DOUBLE = 3,      // real
  OPT_BOOL = 4,        // integer
  OPT_INT_LIST = 5,    // pointer: const int64_t*, count
  OPT_TENSOR_LIST = 6, // pointer: const opt_tensor*, count
  OPT_DEVICE = 7,      // integer: type << 16 | (index & 0xffff), index 0xffff means "current"
  OPT_STRING = 8,      // pointer: const char*, count
  OPT_DOUBLE_LIST = 9, // pointer: const double*, count
  OPT_GENERATOR = 10,  // pointer: opt_generator
  OPT_BOOL_LIST = 11,  // pointer: const int32_t*, count
};

typedef void* opt_tensor;    // at::Tensor*
typedef void* opt_op;        // a resolved operator
typedef void* opt_generator; // at::Generator*
typedef void* opt_store;     // c10d::Store
typedef void* opt_group;     // a process group
typedef void* opt_work;      // a collective under way

struct opt_value {
  int32_t tag;
  int32_t count;
  union {
    int64_t integer;
    double real;
    const void* pointer;
  };
};

struct opt_adamw_options {
  double lr, beta1, beta2, eps, weight_decay;
  double grad_scale; // every gradient is multiplied by this first: unscaling and clipping in one factor
  int64_t step;      // 1 for the first update
  int32_t rule;      // 0 decoupled by lr (metaseq), 1 decoupled by the bias-corrected step (apex v1), 2 torch.optim.AdamW
  int32_t reserved;
};

struct opt_dropout_key {
  uint64_t seed;
  const int64_t* samples; // one global sample index for each entry of the leading dimension
  int32_t sample_count;
  int32_t layer;      // below 4096
  int32_t site;       // below 16
  int32_t first_head; // below 65536
  int32_t head_count;
  int32_t reserved;
};

struct opt_memory {
  int64_t allocated, peak_allocated, reserved, tensors;
};

// ---- library -------------------------------------------------------------------------------------------------
OPT_API int32_t opt_abi_version(void);                            // returns the version itself
OPT_API int32_t opt_last_error(char* utf8, int32_t capacity);     // returns the full length of the text
OPT_API int32_t opt_version(char* utf8, int32_t capacity);        // returns the full length of the text
OPT_API int32_t opt_has_feature(const char* name, int32_t length); // returns 1 or 0: "gloo", "nccl", "cuda", "op:aten::x"
OPT_API int32_t opt_set_num_threads(int32_t threads);
OPT_API int32_t opt_get_num_threads(int32_t* threads);
OPT_API int32_t opt_memory_stats(opt_memory* stats);
OPT_API int32_t opt_memory_reset_peak(void);
OPT_API int32_t opt_memory_empty_cache(void);
OPT_API int32_t opt_memory_set_cache_limit(int64_t bytes);

// ---- devices -------------------------------------------------------------------------------------------------
OPT_API int32_t opt_device_count(int32_t type, int32_t* count); // 0 where the library lacks the kind
OPT_API int32_t opt_device_set(int32_t device);
OPT_API int32_t opt_device_own_stream(int32_t device); // sets the device too; a stream of the pool becomes this thread's
OPT_API int32_t opt_device_synchronize(int32_t device); // waits for the current stream

// ---- tensors -------------------------------------------------------------------------------------------------
OPT_API void opt_tensor_free(opt_tensor tensor);
OPT_API int32_t opt_tensor_alias(opt_tensor tensor, opt_tensor* result); // a second handle to the same tensor
OPT_API int32_t opt_tensor_info(opt_tensor tensor, int64_t* shape, int64_t* stride, int32_t capacity, int32_t* dim,
                                int32_t* dtype, int32_t* device, int32_t* flags);
OPT_API int32_t opt_tensor_numel(opt_tensor tensor, int64_t* numel);
OPT_API int32_t opt_tensor_data(opt_tensor tensor, void** data);
OPT_API int32_t opt_tensor_from_blob(void* data, const int64_t* shape, int32_t dim, int32_t dtype,
                                     void (*release)(void*), void* context, opt_tensor* result);
OPT_API int32_t opt_tensor_item(opt_tensor tensor, double* real, int64_t* integer);
OPT_API int32_t opt_tensor_grad(opt_tensor tensor, opt_tensor* grad);
OPT_API int32_t opt_tensor_set_grad(opt_tensor tensor, opt_tensor grad);
OPT_API int32_t opt_tensor_set_requires_grad(opt_tensor tensor, int32_t value);

// ---- operators -----------------------------------------------------------------------------------------------
OPT_API int32_t opt_op_find(const char* name, int32_t name_length, const char* overload, int32_t overload_length,
                            const char* arguments, int32_t arguments_length, opt_op* op);
OPT_API int32_t opt_op_call(opt_op op, const opt_value* arguments, int32_t count, opt_value* results, int32_t capacity,
                            int32_t* result_count);

// ---- random --------------------------------------------------------------------------------------------------
OPT_API int32_t opt_manual_seed(uint64_t seed);
OPT_API int32_t opt_generator_new(uint64_t seed, int32_t device, opt_generator* generator);
OPT_API int32_t opt_generator_default(opt_generator* generator);
OPT_API void opt_generator_free(opt_generator generator);
OPT_API int32_t opt_generator_seed(opt_generator generator, uint64_t seed);
OPT_API int32_t opt_generator_get_state(opt_generator generator, opt_tensor* state);
OPT_API int32_t opt_generator_set_state(opt_generator generator, opt_tensor state);

// ---- autograd ------------------------------------------------------------------------------------------------
OPT_API int32_t opt_grad_mode_get(void);             // returns 1 or 0
OPT_API int32_t opt_grad_mode_set(int32_t enabled);  // returns the previous mode
OPT_API int32_t opt_autograd_grad(const opt_tensor* outputs, int32_t output_count, const opt_tensor* inputs,
                                  int32_t input_count, const opt_tensor* grad_outputs, int32_t retain_graph,
                                  int32_t create_graph, int32_t allow_unused, opt_tensor* results);
OPT_API int32_t opt_autograd_backward(const opt_tensor* tensors, int32_t count, const opt_tensor* grad_tensors,
                                      int32_t retain_graph, int32_t create_graph);

// ---- compound operations of training loops -------------------------------------------------------------------
OPT_API int32_t opt_adamw_step(opt_tensor param, opt_tensor grad, opt_tensor exp_avg, opt_tensor exp_avg_sq,
                               const opt_adamw_options* options);
OPT_API int32_t opt_sum_of_squares(opt_tensor flat, double* sum);
OPT_API int32_t opt_keyed_dropout(opt_tensor input, double p, const opt_dropout_key* key, opt_tensor* result);
OPT_API int32_t opt_keyed_dropout_mask(double p, const opt_dropout_key* key, int64_t inner, opt_tensor* mask);
OPT_API int32_t opt_keyed_normal(opt_tensor out, uint64_t seed, uint64_t stream, uint64_t offset, double mean, double std);
OPT_API int32_t opt_causal_attention(opt_tensor query, opt_tensor key, opt_tensor value, double scale, double p,
                                     const opt_dropout_key* dropout, opt_tensor* result);
OPT_API int32_t opt_cross_entropy(opt_tensor logits, opt_tensor targets, opt_tensor losses, double grad_scale);
OPT_API int32_t opt_linear_cross_entropy(opt_tensor hidden, opt_tensor weight, opt_tensor targets, opt_tensor losses,
                                         double grad_scale, int64_t chunk, opt_tensor grad_hidden, opt_tensor grad_weight);
OPT_API int32_t opt_parallel_copy(opt_group group, opt_tensor input, opt_tensor* result);
OPT_API int32_t opt_parallel_reduce(opt_group group, opt_tensor input, opt_tensor* result);

// ---- stores --------------------------------------------------------------------------------------------------
OPT_API int32_t opt_store_tcp(const char* host, int32_t host_length, int32_t port, int32_t is_server,
                              int64_t world, int32_t wait_workers, int64_t timeout_ms, opt_store* store);
OPT_API int32_t opt_store_prefix(const char* prefix, int32_t prefix_length, opt_store base, opt_store* store);
OPT_API int32_t opt_store_port(opt_store store, int32_t* port);
OPT_API int32_t opt_store_set(opt_store store, const char* key, int32_t key_length, const uint8_t* value, int64_t length);
OPT_API int32_t opt_store_get(opt_store store, const char* key, int32_t key_length, int64_t timeout_ms, uint8_t* value,
                              int64_t capacity, int64_t* length); // the bytes stay readable by opt_store_last_value
OPT_API int32_t opt_store_last_value(uint8_t* value, int64_t capacity);
OPT_API int32_t opt_store_add(opt_store store, const char* key, int32_t key_length, int64_t delta, int64_t* value);
OPT_API int32_t opt_store_compare_set(opt_store store, const char* key, int32_t key_length, const uint8_t* expected,
                                      int64_t expected_length, const uint8_t* desired, int64_t desired_length, uint8_t* value,
                                      int64_t capacity, int64_t* length);
OPT_API int32_t opt_store_check(opt_store store, const char* key, int32_t key_length, int32_t* present);
OPT_API int32_t opt_store_wait(opt_store store, const char* key, int32_t key_length, int64_t timeout_ms);
OPT_API int32_t opt_store_delete(opt_store store, const char* key, int32_t key_length, int32_t* deleted);
OPT_API void opt_store_free(opt_store store);

// ---- process groups ------------------------------------------------------------------------------------------
OPT_API int32_t opt_group_gloo(opt_store store, int32_t rank, int32_t size, const char* address, int32_t address_length,
                               const char* interface_name, int32_t interface_length, int32_t threads, int64_t timeout_ms,
                               opt_group* group);
OPT_API int32_t opt_group_nccl(opt_store store, int32_t rank, int32_t size, int64_t timeout_ms, opt_group* group);
OPT_API void opt_group_free(opt_group group);
// Payload this rank sent by gathers, reduce-scatters and all-reduces (the latter by the formula of a ring).
OPT_API int32_t opt_group_bytes_sent(opt_group group, int64_t* bytes);
OPT_API int32_t opt_all_reduce(opt_group group, opt_tensor tensor, int32_t reduce_op, opt_work* work);
OPT_API int32_t opt_broadcast(opt_group group, opt_tensor tensor, int32_t root, opt_work* work);
OPT_API int32_t opt_all_gather_into_tensor(opt_group group, opt_tensor output, opt_tensor input, opt_work* work);
OPT_API int32_t opt_reduce_scatter_tensor(opt_group group, opt_tensor output, opt_tensor input, opt_work* work);
OPT_API int32_t opt_all_to_all_single(opt_group group, opt_tensor output, opt_tensor input, const int64_t* output_splits,
                                      const int64_t* input_splits, int32_t splits, opt_work* work);
OPT_API int32_t opt_send(opt_group group, opt_tensor tensor, int32_t peer, int32_t tag, opt_work* work);
OPT_API int32_t opt_recv(opt_group group, opt_tensor tensor, int32_t peer, int32_t tag, opt_work* work);
OPT_API int32_t opt_barrier(opt_group group, opt_work* work);
OPT_API int32_t opt_work_wait(opt_work work, int64_t timeout_ms); // 0: the group's own time-out
OPT_API int32_t opt_work_is_completed(opt_work work, int32_t* completed);
OPT_API void opt_work_free(opt_work work);
