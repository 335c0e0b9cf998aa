using System.Runtime.InteropServices;
using Opt.Torch.Interop;

namespace Opt.Torch;

public static partial class torch
{
    /// <summary>Seeds the default generators of every device.</summary>
    public static Generator manual_seed(long seed)
    {
        Native.Check(Native.ManualSeed((ulong)seed));
        return Generator.Default();
    }

    /// <summary>The state of the default CPU generator.</summary>
    public static Tensor get_rng_state()
    {
        using var generator = Generator.Default();
        return generator.get_state();
    }

    public static void set_rng_state(Tensor new_state)
    {
        using var generator = Generator.Default();
        generator.set_state(new_state);
    }

    /// <summary>A stream of random numbers. One thread at a time.</summary>
    public sealed class Generator : SafeHandle
    {
        public Generator(ulong seed = 0, Device? device = null) : base(0, ownsHandle: true)
        {
            Native.Check(Native.GeneratorNew(seed, (device ?? CPU).Packed, out var generator));
            SetHandle(generator);
        }

        private Generator(nint generator) : base(0, ownsHandle: true) => SetHandle(generator);

        public override bool IsInvalid => handle == 0;

        public Generator manual_seed(long seed)
        {
            Native.Check(Native.GeneratorSeed(this, (ulong)seed));
            return this;
        }

        /// <summary>The state as bytes (5,056 of them on the CPU).</summary>
        public Tensor get_state()
        {
            Native.Check(Native.GeneratorGetState(this, out var state));
            return new Tensor(state);
        }

        public void set_state(Tensor value) => Native.Check(Native.GeneratorSetState(this, value));

        internal static Generator Default()
        {
            Native.Check(Native.GeneratorDefault(out var generator));
            return new Generator(generator);
        }

        protected override bool ReleaseHandle()
        {
            Native.GeneratorFree(handle);
            return true;
        }
    }
}
