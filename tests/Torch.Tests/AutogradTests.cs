using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

public sealed class AutogradTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Nothing_is_recorded_under_no_grad_and_recording_resumes_after_it()
    {
        var x = ones([2], requires_grad: true);
        using (no_grad())
        {
            Assert.False(is_grad_enabled());
            Assert.False((x * 2).requires_grad);
            using (enable_grad())
            {
                Assert.True((x * 2).requires_grad);
            }
        }

        Assert.True((x * 2).requires_grad);
    }

    [Fact]
    public void Another_thread_records_whatever_this_one_does()
    {
        using var mode = no_grad();
        var elsewhere = false;
        var thread = new Thread(() => elsewhere = is_grad_enabled());
        thread.Start();
        thread.Join();
        Assert.True(elsewhere);
    }

    [Fact]
    public void An_unused_input_is_refused_or_gives_null_on_request()
    {
        var used = ones([2], requires_grad: true);
        var unused = ones([2], requires_grad: true);
        Assert.Throws<TorchException>(() => autograd.grad([used.sum()], [used, unused]));
        Assert.Null(autograd.grad([used.sum()], [used, unused], allow_unused: true)[1]);
    }

    [Fact]
    public void A_graph_serves_twice_only_when_retained()
    {
        var x = ones([2], requires_grad: true);
        var y = (x * x).sum();
        Expect.Close([2, 2], autograd.grad([y], [x], retain_graph: true)[0]!);
        Expect.Close([2, 2], autograd.grad([y], [x])[0]!);
        Assert.Throws<TorchException>(() => autograd.grad([y], [x]));
    }

    [Fact]
    public void Backward_adds_into_a_gradient_that_was_set_as_a_view_of_a_flat_buffer()
    {
        var flat = zeros([6]);
        var x = ones([3], requires_grad: true);
        x.grad = flat.narrow(0, 2, 3);
        (x * 5).sum().backward();
        (x * 7).sum().backward();
        Expect.Close([0, 0, 12, 12, 12, 0], flat);
    }

    [Fact]
    public void A_changed_input_of_a_recorded_product_is_found_out()
    {
        var x = ones([2], requires_grad: true);
        var y = (x * x).sum();
        using (no_grad())
        {
            x.add_(1);
        }

        var error = Assert.Throws<TorchException>(() => y.backward());
        Assert.Contains("modified by an inplace operation", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void As_many_gradients_as_outputs_are_asked_for()
    {
        var x = ones([2], requires_grad: true);
        Assert.Throws<ArgumentException>(() => autograd.grad([x * 2], [x], [ones([2]), ones([2])]));
    }
}
