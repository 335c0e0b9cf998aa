// The two autograd nodes of Megatron's tensor parallelism (Shoeybi et al. 2019, section 3: f and g).
#include "distributed/distributed.h"

#include <torch/csrc/autograd/custom_function.h>

using namespace opt;

namespace {

using Context = torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

at::Tensor summed(Group& over, const at::Tensor& input) {
  const at::NoGradGuard no_grad;
  at::Tensor sum = input.detach().clone(at::MemoryFormat::Contiguous);
  all_reduce(over, sum, 0)->wait(milliseconds(0));
  return sum;
}

struct ParallelCopy : torch::autograd::Function<ParallelCopy> {
  static at::Tensor forward(Context* context, const at::Tensor& input, const GroupPointer& over) {
    context->saved_data["group"] = c10::IValue::make_capsule(over);
    return input.view_as(input);
  }

  static tensor_list backward(Context* context, tensor_list grads) {
    const auto capsule = context->saved_data["group"].toCapsule();
    return {summed(*static_cast<Group*>(capsule.get()), grads[0]), at::Tensor()};
  }
};

struct ParallelReduce : torch::autograd::Function<ParallelReduce> {
  static at::Tensor forward(Context*, const at::Tensor& input, const GroupPointer& over) { return summed(*over, input); }

  static tensor_list backward(Context*, tensor_list grads) { return {grads[0], at::Tensor()}; }
};

} // namespace

OPT_API int32_t opt_parallel_copy(opt_group over, opt_tensor input, opt_tensor* result) {
  return guarded([&] { *result = own(ParallelCopy::apply(tensor(input), group(over))); });
}

OPT_API int32_t opt_parallel_reduce(opt_group over, opt_tensor input, opt_tensor* result) {
  return guarded([&] { *result = own(ParallelReduce::apply(tensor(input), group(over))); });
}
