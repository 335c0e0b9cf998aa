using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

/// <summary>Comparison of tensors with numbers written down.</summary>
internal static class Expect
{
    public static void Close(ReadOnlySpan<float> expected, Tensor actual, float tolerance = 1e-6f) => Close(expected, actual.ToArray<float>(), tolerance);

    public static void Close(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, float tolerance = 1e-6f)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var allowed = tolerance * Math.Max(1, Math.Abs(expected[i]));
            Assert.True(Math.Abs(expected[i] - actual[i]) <= allowed, $"element {i} is {actual[i]:R}, expected {expected[i]:R} within {allowed:R}");
        }
    }
}
