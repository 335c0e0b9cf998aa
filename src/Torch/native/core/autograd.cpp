#include "core/handles.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>

using namespace opt;

OPT_API int32_t opt_grad_mode_get(void) { return at::GradMode::is_enabled() ? 1 : 0; }

OPT_API int32_t opt_grad_mode_set(int32_t enabled) {
  const bool previous = at::GradMode::is_enabled();
  at::GradMode::set_enabled(enabled != 0);
  return previous ? 1 : 0;
}

OPT_API int32_t opt_autograd_grad(const opt_tensor* outputs, int32_t output_count, const opt_tensor* inputs, int32_t input_count,
                                  const opt_tensor* grad_outputs, int32_t retain_graph, int32_t create_graph,
                                  int32_t allow_unused, opt_tensor* results) {
  return guarded([&] {
    const auto seeds = grad_outputs == nullptr ? std::vector<at::Tensor>() : tensors(grad_outputs, output_count);
    auto gradients = torch::autograd::grad(tensors(outputs, output_count), tensors(inputs, input_count), seeds, retain_graph != 0,
                                           create_graph != 0, allow_unused != 0);
    for (int32_t i = 0; i < input_count; i++) {
      results[i] = own(std::move(gradients[static_cast<size_t>(i)]));
    }
  });
}

OPT_API int32_t opt_autograd_backward(const opt_tensor* roots, int32_t count, const opt_tensor* grad_tensors, int32_t retain_graph,
                                      int32_t create_graph) {
  return guarded([&] {
    const auto seeds = grad_tensors == nullptr ? std::vector<at::Tensor>() : tensors(grad_tensors, count);
    torch::autograd::backward(tensors(roots, count), seeds, retain_graph != 0, create_graph != 0);
  });
}
