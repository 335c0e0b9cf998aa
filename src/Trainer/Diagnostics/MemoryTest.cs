using System.Globalization;
using System.Runtime.InteropServices;
using Opt.Api.Protocol;

namespace Opt.Trainer.Diagnostics;

/// <summary>
/// Writes patterns into host memory and reads them back: alternating bits both ways, and a mix of each cell's own number, which finds address lines
/// that stick. What the processors correct by themselves (ECC) does not show here but in the devices' counters.
/// </summary>
internal sealed unsafe class MemoryTest : IDiagnosticTest
{
    private const int Chunk = 1 << 20;   // cells of 8 bytes between two looks at the clock

    public string Name => DiagnosticTests.Memory;

    public Finding Run(DiagnosticContext context)
    {
        var free = GC.GetGCMemoryInfo() is var info ? info.TotalAvailableMemoryBytes - info.MemoryLoadBytes : 0;
        var bytes = Math.Max(Chunk * 8L, Math.Min(context.Effort.MemoryBytes, free / 4)) / (Chunk * 8L) * (Chunk * 8L);
        var memory = (ulong*)NativeMemory.Alloc((nuint)bytes);
        try
        {
            return Test(context, memory, bytes / 8);
        }
        finally
        {
            NativeMemory.Free(memory);
        }
    }

    private static Finding Test(DiagnosticContext context, ulong* memory, long cells)
    {
        var started = context.Time.GetTimestamp();
        var tested = 0L;
        for (var from = 0L; from < cells && context.Time.GetElapsedTime(started) < context.Effort.MemoryTime; from += Chunk)
        {
            for (var pattern = 0; pattern < 3; pattern++)
            {
                context.Stop.ThrowIfCancellationRequested();
                var part = new Span<ulong>(memory + from, Chunk);
                Fill(part, pattern, from);
                if (context.Faults.Strikes(DiagnosticTests.Memory)) part[Chunk / 2] ^= 1UL << 17;
                if (FirstWrong(part, pattern, from) is { } at) return Finding.Bad($"cell {from + at} holds {part[at]:x16} instead of {Expected(pattern, from + at):x16}");
            }

            tested = from + Chunk;
        }

        return Finding.Good(string.Create(CultureInfo.InvariantCulture, $"{tested * 8 >> 20} MiB, 3 patterns"));
    }

    private static void Fill(Span<ulong> part, int pattern, long from)
    {
        for (var i = 0; i < part.Length; i++) part[i] = Expected(pattern, from + i);
    }

    private static int? FirstWrong(Span<ulong> part, int pattern, long from)
    {
        for (var i = 0; i < part.Length; i++)
        {
            if (Volatile.Read(ref part[i]) != Expected(pattern, from + i)) return i;
        }

        return null;
    }

    private static ulong Expected(int pattern, long cell) => pattern switch
    {
        0 => 0x5555_5555_5555_5555,
        1 => 0xAAAA_AAAA_AAAA_AAAA,
        _ => (ulong)cell * 0x9E37_79B9_7F4A_7C15,
    };
}
