// Every operator of libtorch by name, through the dispatcher's boxed calling convention.
//
// One path serves hundreds of operators, and since arguments are matched by name at look-up time and the rest take the
// schema's defaults, code written for one version of libtorch calls another whose schema grew new defaulted arguments.
// The price is the boxing of each argument in an IValue; src/Torch/README.md has the measured overhead.
#include "core/handles.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

using namespace opt;

namespace {

struct Operator {
  c10::OperatorHandle handle;
  std::vector<c10::IValue> defaults;
  std::vector<size_t> positions; // of the caller's arguments in the schema
};

size_t position_of(const c10::FunctionSchema& schema, const std::string& name) {
  const auto& arguments = schema.arguments();
  for (size_t i = 0; i < arguments.size(); i++) {
    // "self" and "input" name the same first argument in some operators of different versions.
    if (arguments[i].name() == name || (i == 0 && name == "self" && arguments[i].name() == "input")) {
      return i;
    }
  }
  throw not_supported("operator " + c10::toString(schema.operator_name()) + " has no argument named '" + name + "' in this libtorch");
}

std::vector<size_t> positions_of(const c10::FunctionSchema& schema, const std::string& names) {
  std::vector<size_t> positions;
  size_t start = 0;
  while (start < names.size()) {
    const size_t end = std::min(names.find(' ', start), names.size());
    positions.push_back(position_of(schema, names.substr(start, end - start)));
    start = end + 1;
  }
  return positions;
}

std::vector<c10::IValue> defaults_of(const c10::FunctionSchema& schema) {
  std::vector<c10::IValue> defaults;
  for (const auto& argument : schema.arguments()) {
    const auto& value = argument.default_value();
    defaults.push_back(value ? *value : c10::IValue());
  }
  return defaults;
}

c10::IValue list_of_tensors(const opt_value& v) {
  c10::List<at::Tensor> list;
  const auto* handles = static_cast<const opt_tensor*>(v.pointer);
  for (int32_t i = 0; i < v.count; i++) {
    list.push_back(tensor(handles[i]));
  }
  return list;
}

c10::IValue unpack(const opt_value& v) {
  switch (v.tag) {
    case OPT_NONE: return c10::IValue();
    case OPT_TENSOR: return v.pointer == nullptr ? c10::IValue() : c10::IValue(*static_cast<const at::Tensor*>(v.pointer));
    case OPT_INT: return v.integer;
    case OPT_DOUBLE: return v.real;
    case OPT_BOOL: return v.integer != 0;
    case OPT_INT_LIST: return c10::IValue(at::IntArrayRef(static_cast<const int64_t*>(v.pointer), static_cast<size_t>(v.count)));
    case OPT_DOUBLE_LIST: return c10::IValue(at::ArrayRef<double>(static_cast<const double*>(v.pointer), static_cast<size_t>(v.count)));
    case OPT_TENSOR_LIST: return list_of_tensors(v);
    case OPT_DEVICE: return opt::device(v.integer);
    case OPT_STRING: return std::string(static_cast<const char*>(v.pointer), static_cast<size_t>(v.count));
    case OPT_GENERATOR: return *static_cast<const at::Generator*>(v.pointer);
    case OPT_BOOL_LIST: {
      c10::List<bool> list;
      for (int32_t i = 0; i < v.count; i++) {
        list.push_back(static_cast<const int32_t*>(v.pointer)[i] != 0);
      }
      return list;
    }
    default: throw invalid_argument("unknown argument tag");
  }
}

// Results are flattened: a list of tensors becomes that many results.
class Results {
 public:
  Results(opt_value* values, int32_t capacity) : values_(values), capacity_(capacity) {}

  void add(const c10::IValue& value) {
    if (value.isTensorList()) {
      for (const at::Tensor& element : value.toTensorVector()) {
        add(c10::IValue(element));
      }
      return;
    }
    if (count_ == capacity_) {
      throw invalid_argument("the operator returned more values than the caller has room for");
    }
    opt_value& result = values_[count_];
    result = opt_value{};
    if (value.isTensor()) {
      result.tag = OPT_TENSOR;
      result.pointer = own(value.toTensor());
    } else if (value.isInt() || value.isBool()) {
      result.tag = value.isInt() ? OPT_INT : OPT_BOOL;
      result.integer = value.isInt() ? value.toInt() : (value.toBool() ? 1 : 0);
    } else if (value.isDouble()) {
      result.tag = OPT_DOUBLE;
      result.real = value.toDouble();
    } else if (!value.isNone()) {
      throw not_supported("the operator returned a value of type " + value.tagKind());
    }
    count_++;
  }

  void release() {
    for (int32_t i = 0; i < count_; i++) {
      if (values_[i].tag == OPT_TENSOR) {
        delete static_cast<const at::Tensor*>(values_[i].pointer);
      }
    }
  }

  int32_t count() const { return count_; }

 private:
  opt_value* values_;
  int32_t capacity_;
  int32_t count_ = 0;
};

} // namespace

OPT_API int32_t opt_op_find(const char* name, int32_t name_length, const char* overload, int32_t overload_length,
                            const char* arguments, int32_t arguments_length, opt_op* op) {
  return guarded([&] {
    const std::string full = text_of(name, name_length);
    const auto handle = c10::Dispatcher::singleton().findSchema({full, text_of(overload, overload_length)});
    if (!handle.has_value()) {
      throw not_supported("this libtorch has no operator " + full + (overload_length > 0 ? "." + text_of(overload, overload_length) : ""));
    }
    const auto& schema = handle->schema();
    *op = new Operator{*handle, defaults_of(schema), positions_of(schema, text_of(arguments, arguments_length))};
  });
}

OPT_API int32_t opt_op_call(opt_op handle, const opt_value* arguments, int32_t count, opt_value* results, int32_t capacity,
                            int32_t* result_count) {
  return guarded([&] {
    const auto& op = *static_cast<const Operator*>(handle);
    require(count <= static_cast<int32_t>(op.positions.size()), "more arguments than the operator was looked up with");
    torch::jit::Stack stack(op.defaults);
    for (int32_t i = 0; i < count; i++) {
      stack[op.positions[i]] = unpack(arguments[i]);
    }
    op.handle.callBoxed(&stack);
    if (results == nullptr) {
      return; // in-place operators hand back what the caller already holds
    }
    Results out(results, capacity);
    try {
      for (const auto& value : stack) {
        out.add(value);
      }
    } catch (...) {
      out.release();
      throw;
    }
    *result_count = out.count();
  });
}
