using Xunit;
using static Opt.Torch.torch;
using F = Opt.Torch.torch.nn.functional;

namespace Opt.Torch.Tests;

/// <summary>Gradients of the operators that training uses against central differences in double.</summary>
public sealed class GradientTests : IDisposable
{
    private static readonly Dictionary<string, (long[][] Shapes, Func<Tensor[], Tensor> Function)> Functions = new()
    {
        ["add"] = ([[3, 4], [4]], x => x[0] + x[1]),
        ["mul"] = ([[3, 4], [3, 4]], x => x[0] * x[1]),
        ["div"] = ([[3, 4], [3, 4]], x => x[0] / (x[1] * x[1] + 1)),
        ["matmul"] = ([[2, 3, 4], [4, 5]], x => x[0].matmul(x[1])),
        ["linear"] = ([[3, 4], [5, 4], [5]], x => F.linear(x[0], x[1], x[2])),
        ["bmm"] = ([[2, 3, 4], [2, 4, 5]], x => x[0].bmm(x[1])),
        ["baddbmm"] = ([[2, 3, 5], [2, 3, 4], [2, 4, 5]], x => x[0].baddbmm(x[1], x[2], 0.5f, 2)),
        ["layer_norm"] = ([[3, 8], [8], [8]], x => F.layer_norm(x[0], [8], x[1], x[2])),
        ["softmax"] = ([[3, 5]], x => F.softmax(x[0], -1)),
        ["log_softmax"] = ([[3, 5]], x => F.log_softmax(x[0], -1)),
        ["relu"] = ([[4, 4]], x => F.relu(x[0] + 0.05)),
        ["gelu"] = ([[4, 4]], x => F.gelu(x[0])),
        ["embedding"] = ([[5, 3]], x => F.embedding(tensor([1L, 4, 1]), x[0])),
        ["cross_entropy"] = ([[3, 5]], x => F.cross_entropy(x[0], tensor([1L, 4, 0]), reduction: nn.Reduction.Sum)),
        ["gather"] = ([[3, 5]], x => x[0].gather(1, tensor(new long[] { 1, 0, 4 }, [3, 1]))),
        ["index_select"] = ([[5, 3]], x => x[0].index_select(0, tensor([1L, 4, 1]))),
        ["masked_fill"] = ([[3, 3]], x => x[0].masked_fill(eye(3).gt(0), -1)),
        ["views"] = ([[2, 3, 4]], x => x[0].transpose(1, 2).reshape(2, 12).narrow(1, 3, 6)),
        ["cat"] = ([[2, 3], [2, 3]], x => cat([x[0], x[1]], 1)),
        ["exp_log"] = ([[6]], x => (x[0].exp() + 1).log()),
        ["sqrt_pow"] = ([[6]], x => (x[0].pow(2) + 1).sqrt()),
        ["mean_norm"] = ([[6]], x => x[0].mean() + x[0].norm()),
        ["amax_abs"] = ([[3, 4]], x => x[0].amax([1]) + x[0].abs().sum(1)),
        ["attention"] = ([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]], x => ops.opt.causal_attention(x[0], x[1], x[2], 0.5)),
        ["keyed_dropout"] = ([[2, 3, 4]], x => ops.opt.keyed_dropout(x[0], 0.3, new DropoutKey(7, [3, 9], 1, 2))),
    };

    private readonly DisposeScope _scope = NewDisposeScope();

    public static TheoryData<string> Names => [.. Functions.Keys];

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void The_gradient_equals_the_slope(string name)
    {
        using var generator = new Generator(11);
        var (shapes, function) = Functions[name];
        var inputs = shapes.Select(shape => randn(shape, float64, requires_grad: true, generator: generator)).ToArray();
        var output = function(inputs);
        var direction = randn(output.shape, float64, generator: generator);
        var gradients = autograd.grad([output], inputs, [direction]);
        for (var i = 0; i < inputs.Length; i++)
        {
            var slopes = Slopes(inputs, i, function, direction);
            Assert.True(gradients[i]!.allclose(slopes, 1e-5, 1e-6), $"input {i} of {name}: off by {(gradients[i]! - slopes).abs().max().item<double>()}");
        }
    }

    private static Tensor Slopes(Tensor[] inputs, int which, Func<Tensor[], Tensor> function, Tensor direction)
    {
        const double Step = 1e-6;
        using var mode = no_grad();
        var slopes = zeros(inputs[which].shape, float64);
        var values = inputs[which].detach().AsSpan<double>();
        for (var i = 0; i < values.Length; i++)
        {
            var value = values[i];
            values[i] = value + Step;
            var above = (function(inputs) * direction).sum().item<double>();
            values[i] = value - Step;
            var below = (function(inputs) * direction).sum().item<double>();
            values[i] = value;
            slopes.AsSpan<double>()[i] = (above - below) / (2 * Step);
        }

        return slopes;
    }
}
