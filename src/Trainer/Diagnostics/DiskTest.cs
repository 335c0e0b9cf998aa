using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Opt.Api.Protocol;

namespace Opt.Trainer.Diagnostics;

/// <summary>Writes a file to the node's own storage, syncs it, drops it from the page cache where the system lets it, and reads it back.</summary>
internal sealed partial class DiskTest : IDiagnosticTest
{
    private const int Block = 1 << 20, POSIX_FADV_DONTNEED = 4;

    public string Name => DiagnosticTests.Disk;

    public Finding Run(DiagnosticContext context)
    {
        var file = Path.Combine(context.Scratch, $"diagnose-{Guid.NewGuid():n}.bin");
        try
        {
            var blocks = (int)(context.Effort.DiskBytes / Block);
            var writing = Write(context, file, blocks);
            var started = context.Time.GetTimestamp();
            if (FirstWrong(context, file, blocks) is { } wrong) return Finding.Bad($"block {wrong} of {blocks} in {context.Scratch} does not hold what was written");
            var reading = context.Time.GetElapsedTime(started);
            return Finding.Good(string.Create(CultureInfo.InvariantCulture, $"{blocks} MiB, write {Rate(blocks, writing)}, read {Rate(blocks, reading)} MB/s"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Finding.Bad($"{context.Scratch}: {e.Message}");
        }
        finally
        {
            Remove(file);
        }
    }

    private static string Rate(int blocks, TimeSpan time) => (blocks * (double)Block / 1e6 / Math.Max(1e-9, time.TotalSeconds)).ToString("F0", CultureInfo.InvariantCulture);

    private static TimeSpan Write(DiagnosticContext context, string file, int blocks)
    {
        var started = context.Time.GetTimestamp();
        var content = new byte[Block];
        using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (var block = 0; block < blocks; block++)
        {
            context.Stop.ThrowIfCancellationRequested();
            Fill(content, block);
            if (block == blocks / 2 && context.Faults.Strikes(DiagnosticTests.Disk)) content[Block / 2] ^= 1;
            stream.Write(content);
        }

        stream.Flush(flushToDisk: true);
        Forget(stream.SafeFileHandle);
        return context.Time.GetElapsedTime(started);
    }

    private static int? FirstWrong(DiagnosticContext context, string file, int blocks)
    {
        byte[] wanted = new byte[Block], found = new byte[Block];
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.None, bufferSize: 0);
        for (var block = 0; block < blocks; block++)
        {
            context.Stop.ThrowIfCancellationRequested();
            Fill(wanted, block);
            stream.ReadExactly(found);
            if (!wanted.AsSpan().SequenceEqual(found)) return block;
        }

        return null;
    }

    /// <summary>Numbers that no compression and no block of zeros can pass for (xorshift, seeded by the block).</summary>
    private static void Fill(Span<byte> content, int block)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(content);
        var state = (ulong)(block + 1) * 0x9E37_79B9_7F4A_7C15;
        for (var i = 0; i < words.Length; i++)
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            words[i] = state;
        }
    }

    /// <summary>Advice only: what is still cached is read from there, which tests less but is no error.</summary>
    private static void Forget(SafeFileHandle file)
    {
        if (OperatingSystem.IsLinux()) _ = posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    }

    private static void Remove(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The finding says what is wrong with the folder.
        }
    }

    [LibraryImport("libc")]
    private static partial int posix_fadvise(SafeFileHandle file, long offset, long length, int advice);
}
