using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Text;
using Opt.Api.Protocol;

namespace Opt.Trainer.Workers;

/// <summary>
/// What a rank does, written down where its agent can read it: a page of memory shared through a file. Nothing has to run in the worker for that, so it also shows where
/// one stands that is stopped, or that waits in native code for ever. Marks cost some nanoseconds each and take no lock; one thread trains and one issues
/// collectives, and each writes fields of its own. A reader may see a mark between two writes, which is no more than a moment off.
/// </summary>
internal sealed class FlightRecorder : IDisposable
{
    private const long Magic = 0x3130_5448_4746_504F;   // "OPFGHT01", little-endian; another layout gets another number
    private const int PageBytes = 4096, TextBytes = 16;
    private const int MagicAt = 0, AttemptAt = 8, BlockAt = 16, SinceAt = 24, WaitsAt = 32, SubmittedAt = 40, PhaseAt = 48, FinishedAt = 64, UnderWayAt = 72, KindAt = 80;
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _page;
    private readonly TimeProvider _time;

    private FlightRecorder(MemoryMappedFile file, TimeProvider time)
    {
        (_file, _time) = (file, time);
        _page = file.CreateViewAccessor(0, PageBytes);
        _page.Write(MagicAt, Magic);
    }

    /// <summary>Makes the page, whole: a hole in it could not be filled when the disk is full, and would end the worker by a signal.</summary>
    /// <exception cref="IOException">It could not be written.</exception>
    public static void Create(string path) => File.WriteAllBytes(path, new byte[PageBytes]);

    /// <summary>Opens the page that the agent made.</summary>
    /// <exception cref="IOException">It is not there.</exception>
    public static FlightRecorder Open(string path, TimeProvider time) => new(MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, PageBytes), time);

    /// <summary>The newest marks; null before the first, and where there is no such page.</summary>
    public static WorkerActivity? Read(string path, TimeProvider time)
    {
        Span<byte> page = stackalloc byte[PageBytes];
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            if (file.ReadAtLeast(page, PageBytes, throwOnEndOfStream: false) < PageBytes) return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;   // the worker has none; its process tells the rest
        }

        return Number(page, MagicAt) == Magic && Text(page, PhaseAt) is { Length: > 0 } ? Read(page, time) : null;
    }

    private static WorkerActivity Read(ReadOnlySpan<byte> page, TimeProvider time) => new()
    {
        Attempt = Number(page, AttemptAt),
        Phase = Text(page, PhaseAt),
        Block = Number(page, BlockAt) is >= 0 and var block ? (int)block : null,
        Seconds = Math.Max(0, Math.Round((time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds - Number(page, SinceAt) / 1000.0, 1)),
        Submitted = Number(page, SubmittedAt),
        Finished = Number(page, FinishedAt),
        WaitsFor = Number(page, WaitsAt) is > 0 and var number ? number : null,
        Collective = Number(page, UnderWayAt) != 0 ? Text(page, KindAt) : null,
    };

    /// <summary>The training thread begins a part of an attempt.</summary>
    /// <param name="phase">At most 16 letters.</param>
    public void Enter(string phase, int block = -1)
    {
        Write(PhaseAt, phase);
        _page.Write(BlockAt, (long)block);
        _page.Write(SinceAt, _time.GetUtcNow().ToUnixTimeMilliseconds());
    }

    /// <summary>The training thread begins an attempt.</summary>
    public void Attempt(long attempt) => _page.Write(AttemptAt, attempt);

    /// <summary>The training thread submitted collective <paramref name="number"/>.</summary>
    public void Submitted(long number) => _page.Write(SubmittedAt, number);

    /// <summary>The training thread waits for collective <paramref name="number"/>; 0: no more.</summary>
    public void Waits(long number) => _page.Write(WaitsAt, number);

    /// <summary>A collective is issued.</summary>
    public void Issued(string kind)
    {
        Write(KindAt, kind);
        _page.Write(UnderWayAt, 1L);
    }

    /// <summary>Collective <paramref name="number"/> came to an end.</summary>
    public void Finished(long number)
    {
        _page.Write(UnderWayAt, 0L);
        _page.Write(FinishedAt, number);
    }

    public void Dispose()
    {
        _page.Dispose();
        _file.Dispose();
    }

    private void Write(int at, string text)
    {
        Span<byte> bytes = stackalloc byte[TextBytes];
        bytes.Clear();
        Encoding.ASCII.GetBytes(text.AsSpan(0, Math.Min(text.Length, TextBytes)), bytes);
        _page.Write(at, BinaryPrimitives.ReadInt64LittleEndian(bytes));
        _page.Write(at + 8, BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]));
    }

    private static long Number(ReadOnlySpan<byte> page, int at) => BinaryPrimitives.ReadInt64LittleEndian(page[at..]);

    private static string Text(ReadOnlySpan<byte> page, int at) => Encoding.ASCII.GetString(page.Slice(at, TextBytes)).TrimEnd('\0');
}
