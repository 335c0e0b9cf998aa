using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;
using static Opt.Torch.torch;

namespace Opt.Torch.Interop;

/// <summary>
/// One operator of libtorch, looked up by name on first use and called through the dispatcher's boxed convention.
/// </summary>
/// <remarks>
/// Arguments are matched to the schema by name, and those not named take the schema's defaults, so that an operator that grew
/// defaulted arguments in a later libtorch is called unchanged. A call costs about a microsecond more than a C++ call of the
/// same operator (README.md has the measurement), against hundreds for the smallest product of a training step: so one path
/// serves all operators, and only compound operations that would be many calls have entry points of their own.
/// </remarks>
[SuppressMessage("Design", "CA1001", Justification = "Operators live as long as the process, like the dispatcher's own table.")]
internal sealed unsafe class Op(string name, string overload, string arguments)
{
    private const int MaxResults = 8;
    private const int StackScratch = 64;

    private nint _handle;

    public Op(string name, string arguments) : this(name, "", arguments)
    {
    }

    /// <summary>Calls an operator that returns one tensor.</summary>
    public Tensor Call(params ReadOnlySpan<Arg> args)
    {
        NativeValue result;
        Invoke(args, &result, 1);
        return new Tensor((nint)result.Payload);
    }

    /// <summary>Calls an operator that returns several tensors; undefined ones are null.</summary>
    public Tensor[] CallMany(int capacity, params ReadOnlySpan<Arg> args)
    {
        var results = stackalloc NativeValue[Math.Min(capacity, MaxResults)];
        var many = capacity > MaxResults ? new NativeValue[capacity] : [];
        fixed (NativeValue* heap = many)
        {
            var values = capacity > MaxResults ? heap : results;
            var count = Invoke(args, values, capacity);
            var tensors = new Tensor[count];
            for (var i = 0; i < count; i++)
            {
                tensors[i] = values[i].Payload == 0 ? null! : new Tensor((nint)values[i].Payload);
            }

            return tensors;
        }
    }

    /// <summary>Calls an operator that returns a plain value.</summary>
    public long CallInteger(params ReadOnlySpan<Arg> args)
    {
        NativeValue result;
        Invoke(args, &result, 1);
        return result.Payload;
    }

    /// <summary>Calls an in-place operator and drops what it returns, which is its first argument.</summary>
    public Tensor CallInPlace(Tensor self, params ReadOnlySpan<Arg> args)
    {
        Invoke(args, null, 0);
        return self;
    }

    private int Invoke(ReadOnlySpan<Arg> args, NativeValue* results, int capacity)
    {
        var handle = _handle != 0 ? _handle : Find();
        var values = stackalloc NativeValue[args.Length];
        var words = ScratchWords(args);
        var scratch = words <= StackScratch ? stackalloc long[StackScratch] : new long[words];
        fixed (long* start = scratch)
        {
            var held = 0;
            try
            {
                Pack(args, values, start, ref held);
                Native.Check(Native.OpCall(handle, values, args.Length, results, capacity, out var count));
                return count;
            }
            finally
            {
                Release(args, held);
            }
        }
    }

    private nint Find()
    {
        var utf8 = Encoding.UTF8;
        byte[] nameBytes = utf8.GetBytes(name), overloadBytes = utf8.GetBytes(overload), argumentBytes = utf8.GetBytes(arguments);
        Native.Check(Native.OpFind(nameBytes, nameBytes.Length, overloadBytes, overloadBytes.Length, argumentBytes, argumentBytes.Length, out var found));
        return _handle = found; // two threads may look up at once: both results are right, and one small object is lost
    }

    private static int ScratchWords(ReadOnlySpan<Arg> args)
    {
        var words = 0;
        foreach (ref readonly var arg in args)
        {
            words += arg.Reference switch
            {
                long[] list => list.Length,
                Tensor[] tensors => tensors.Length,
                string text => Encoding.UTF8.GetMaxByteCount(text.Length) / sizeof(long) + 1,
                _ => 0,
            };
        }

        return words;
    }

    // Every handle is held by a reference until the call returns, so that no other thread frees it meanwhile;
    // `held` counts the handles taken so far, in argument order, for Release.
    private static void Pack(ReadOnlySpan<Arg> args, NativeValue* values, long* scratch, ref int held)
    {
        for (var i = 0; i < args.Length; i++)
        {
            ref readonly var arg = ref args[i];
            values[i] = new NativeValue { Tag = arg.Tag, Payload = arg.Bits };
            switch (arg.Reference)
            {
                case null:
                    break;
                case SafeHandle handle:
                    values[i].Payload = Hold(handle, ref held);
                    break;
                case long[] list:
                    list.CopyTo(new Span<long>(scratch, list.Length));
                    Point(ref values[i], ref scratch, list.Length, list.Length);
                    break;
                case Tensor[] tensors:
                    for (var t = 0; t < tensors.Length; t++)
                    {
                        scratch[t] = Hold(tensors[t], ref held);
                    }

                    Point(ref values[i], ref scratch, tensors.Length, tensors.Length);
                    break;
                case string text:
                    var bytes = Encoding.UTF8.GetBytes(text, new Span<byte>(scratch, Encoding.UTF8.GetMaxByteCount(text.Length)));
                    Point(ref values[i], ref scratch, bytes, bytes / sizeof(long) + 1);
                    break;
            }
        }
    }

    private static void Point(ref NativeValue value, ref long* scratch, int count, int words)
    {
        value.Payload = (long)scratch;
        value.Count = count;
        scratch += words;
    }

    private static long Hold(SafeHandle handle, ref int held)
    {
        var added = false;
        handle.DangerousAddRef(ref added); // throws ObjectDisposedException before native code sees a stale pointer
        held++;
        return handle.DangerousGetHandle();
    }

    private static void Release(ReadOnlySpan<Arg> args, int held)
    {
        for (var i = 0; i < args.Length && held > 0; i++)
        {
            if (args[i].Reference is SafeHandle handle)
            {
                handle.DangerousRelease();
                held--;
            }
            else if (args[i].Reference is Tensor[] tensors)
            {
                for (var t = 0; t < tensors.Length && held > 0; t++, held--)
                {
                    tensors[t].DangerousRelease();
                }
            }
        }
    }
}
