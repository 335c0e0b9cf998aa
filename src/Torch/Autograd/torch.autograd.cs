using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    /// <summary>Stops recording on this thread until disposed. The mode is per thread: never hold it across an <c>await</c>.</summary>
    public static GradMode no_grad() => new(enabled: false);

    /// <summary>Records on this thread until disposed.</summary>
    public static GradMode enable_grad(bool enabled = true) => new(enabled);

    public static bool is_grad_enabled() => Native.GradModeGet() != 0;

    /// <summary>Whether operations are recorded, for as long as it lives.</summary>
    public readonly struct GradMode : IDisposable, IEquatable<GradMode>
    {
        private readonly bool _previous;

        internal GradMode(bool enabled) => _previous = Native.GradModeSet(enabled ? 1 : 0) != 0;

        public static bool operator ==(GradMode left, GradMode right) => left.Equals(right);

        public static bool operator !=(GradMode left, GradMode right) => !left.Equals(right);

        public void Dispose() => _ = Native.GradModeSet(_previous ? 1 : 0);

        public bool Equals(GradMode other) => _previous == other._previous;

        public override bool Equals(object? obj) => obj is GradMode other && Equals(other);

        public override int GetHashCode() => _previous.GetHashCode();
    }

    public static class autograd
    {
        /// <summary>The gradients of <paramref name="outputs"/> with respect to <paramref name="inputs"/>, without touching any <c>grad</c>.</summary>
        /// <param name="outputs">Roots of the graph.</param>
        /// <param name="inputs">Tensors that require gradients.</param>
        /// <param name="grad_outputs">Gradient of each output; may be left out for outputs of one element.</param>
        /// <param name="retain_graph">Keep what backward needs, for another pass.</param>
        /// <param name="create_graph">Record the backward pass itself.</param>
        /// <param name="allow_unused">Give null for an input the outputs do not depend on, instead of throwing.</param>
        public static Tensor?[] grad(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor> inputs, IReadOnlyList<Tensor>? grad_outputs = null,
            bool retain_graph = false, bool create_graph = false, bool allow_unused = false)
        {
            RequireSameCount(outputs, grad_outputs);
            using var roots = new HeldHandles(outputs);
            using var leaves = new HeldHandles(inputs);
            using var seeds = new HeldHandles(grad_outputs);
            var handles = new nint[inputs.Count];
            Native.Check(Native.AutogradGrad(roots.Values, outputs.Count, leaves.Values, inputs.Count,
                grad_outputs is null ? default : seeds.Values, retain_graph ? 1 : 0, create_graph ? 1 : 0, allow_unused ? 1 : 0, handles));
            return Array.ConvertAll(handles, handle => handle == 0 ? null : new Tensor(handle));
        }

        /// <summary>Adds the gradients to the <c>grad</c> of every leaf.</summary>
        public static void backward(IReadOnlyList<Tensor> tensors, IReadOnlyList<Tensor>? grad_tensors = null, bool retain_graph = false, bool create_graph = false)
        {
            RequireSameCount(tensors, grad_tensors);
            using var roots = new HeldHandles(tensors);
            using var seeds = new HeldHandles(grad_tensors);
            Native.Check(Native.AutogradBackward(roots.Values, tensors.Count, grad_tensors is null ? default : seeds.Values, retain_graph ? 1 : 0, create_graph ? 1 : 0));
        }

        private static void RequireSameCount(IReadOnlyList<Tensor> outputs, IReadOnlyList<Tensor>? gradients)
        {
            if (gradients is not null && gradients.Count != outputs.Count)
            {
                throw new ArgumentException($"{outputs.Count} outputs need as many gradients, not {gradients.Count}", nameof(gradients));
            }
        }
    }

    public sealed partial class Tensor
    {
        /// <summary>Adds the gradients of this one-element tensor to the <c>grad</c> of every leaf.</summary>
        public void backward() => autograd.backward([this]);
    }
}
