using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>Reads one committed checkpoint. Every byte that is used has been verified against the commit log's digest first.</summary>
public sealed class CheckpointReader
{
    private const long MemoryInFlight = 256L << 20;
    private const int Reads = 3;
    private readonly ICheckpointStore _store;
    private readonly IReadOnlyList<INearbyCopies> _nearby;
    private readonly long[] _bytes = new long[Enum.GetValues<CheckpointTier>().Length];

    private CheckpointReader(ICheckpointStore store, CheckpointSummary summary, Manifest manifest, IReadOnlyList<INearbyCopies> nearby)
    {
        (_store, _nearby) = (store, nearby);
        Summary = summary;
        Manifest = manifest;
    }

    public CheckpointSummary Summary { get; }
    public Manifest Manifest { get; }

    /// <summary>What was read from where so far.</summary>
    public EquatableList<TierBytes> Sources => [.. Enum.GetValues<CheckpointTier>().Select(t => new TierBytes(t, Volatile.Read(ref _bytes[(int)t]))).Where(t => t.Bytes > 0)];

    /// <exception cref="CheckpointException">The manifest is missing or damaged.</exception>
    public static Task<CheckpointReader> OpenAsync(ICheckpointStore store, CheckpointSummary summary, CancellationToken ct) => OpenAsync(store, summary, [], ct);

    /// <param name="nearby">Where to look for objects before the store, in this order.</param>
    internal static async Task<CheckpointReader> OpenAsync(ICheckpointStore store, CheckpointSummary summary, IReadOnlyList<INearbyCopies> nearby, CancellationToken ct)
    {
        var name = $"{summary.Path}/{Manifest.FileName}";
        var bytes = await ReadManifestAsync(store, name, summary.ManifestDigest, ct);
        try
        {
            var manifest = JsonSerializer.Deserialize(bytes, CheckpointJson.Default.Manifest)!;
            Check(manifest, name);
            return new(store, summary, manifest, nearby);
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{store.Description}: {name} was written by another version: {e.Message}", e);
        }
    }

    /// <summary>Refuses a checkpoint of another model, naming the sizes that differ.</summary>
    public void RequireModel(ModelDimensions model)
    {
        if (Manifest.Model == model) return;
        var differences = ModelDifferences.Of(Manifest.Model, model);
        if (differences.Count > 0) throw new OtherModelException($"the checkpoint at {_store.Description}/{Summary.Path} is of another model: {string.Join(", ", differences)}");
    }

    /// <summary>The slice table.</summary>
    public async Task<SliceTable> ReadSlicesAsync(CancellationToken ct)
    {
        var bytes = await ReadWholeAsync(Manifest.Slices, ct);
        try
        {
            var table = SliceTable.Decompress(bytes);
            return table.Ranks.Count == Manifest.WorldSize ? table : throw new FormatException($"slice table is of {table.Ranks.Count} ranks, not {Manifest.WorldSize}");
        }
        catch (FormatException e)
        {
            throw new CheckpointException($"{NameOf(Manifest.Slices)}: {e.Message}", e);
        }
    }

    /// <summary>Fills <paramref name="buffers"/>, whatever world the checkpoint was written by.</summary>
    /// <returns>Slots the checkpoint lacks; their buffers are untouched.</returns>
    public async Task<IReadOnlyList<string>> LoadAsync(ShardLayout layout, IReadOnlyList<StateBuffer> buffers, IProgress<double>? progress, CancellationToken ct)
    {
        var plan = RestorePlan.Build(Manifest, await ReadSlicesAsync(ct), layout, buffers);
        var chunks = Chunks(plan.Runs);
        var meter = new TransferMeter(chunks.Sum(c => (long)Manifest.Objects[c.Object].LengthOf(c.Index)), progress);
        await ForEachChunkAsync(chunks, (chunk, bytes) =>
        {
            Scatter(plan.Runs, chunk, bytes.Span, buffers);
            meter.Add(bytes.Length);
        }, ct);
        var zeros = new float[16 << 10];
        foreach (var (buffer, offset, length) in plan.Zeros)
        {
            for (long done = 0; done < length; done += zeros.Length) buffers[buffer].Write(offset + done, zeros.AsSpan(0, (int)Math.Min(zeros.Length, length - done)));
        }

        meter.Complete();
        return plan.MissingSlots;
    }

    /// <summary>Reads and verifies every byte.</summary>
    public async Task VerifyAsync(IProgress<double>? progress, CancellationToken ct)
    {
        await ReadSlicesAsync(ct);
        var all = Manifest.Objects.SelectMany((o, i) => Enumerable.Range(0, o.ChunkCount).Select(chunk => new Chunk(i, chunk, 0, 0))).ToArray();
        var meter = new TransferMeter(Manifest.Objects.Sum(o => o.Bytes), progress);
        await ForEachChunkAsync(all, (_, bytes) => meter.Add(bytes.Length), ct);
        meter.Complete();
    }

    /// <summary>Reads one object in order, verified, a chunk at a time.</summary>
    public async Task ReadObjectAsync(ObjectRecord record, ReadChunk use, CancellationToken ct)
    {
        var buffer = new byte[Math.Min(record.ChunkBytes, record.Bytes)];
        for (var i = 0; i < record.ChunkCount; i++)
        {
            var chunk = buffer.AsMemory(0, record.LengthOf(i));
            await ReadChunkAsync(record, i, chunk, ct);
            use((long)i * record.ChunkBytes, chunk.Span);
        }
    }

    private static async Task<byte[]> ReadManifestAsync(ICheckpointStore store, string name, string digest, CancellationToken ct)
    {
        for (var read = 1; ; read++)
        {
            var bytes = await store.TryReadAsync(name, Manifest.MaxBytes, ct) ?? throw new CheckpointException($"{store.Description}: {name} is missing");
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) == digest) return bytes;
            if (read == Reads) throw new CheckpointException($"{store.Description}: {name} is damaged: its SHA-256 is not the one in the commit log");
        }
    }

    private static void Check(Manifest manifest, string name)
    {
        if (manifest.Format != Manifest.CurrentFormat) throw new CheckpointException($"{name} has format {manifest.Format}; this version reads {Manifest.CurrentFormat}");
        var wrong = manifest.Objects.Append(manifest.Slices).FirstOrDefault(o => !o.IsConsistent);
        if (wrong is not null) throw new CheckpointException($"{name}: the record of {wrong.Name} contradicts itself");
        if (manifest.Objects.Count != manifest.WorldSize) throw new CheckpointException($"{name} lists {manifest.Objects.Count} objects for {manifest.WorldSize} ranks");
    }

    private string NameOf(ObjectRecord record) => $"{Summary.Path}/{record.Name}";

    private async Task ForEachChunkAsync(IReadOnlyList<Chunk> chunks, Action<Chunk, ReadOnlyMemory<byte>> use, CancellationToken ct)
    {
        var largest = chunks.Count == 0 ? 1 : chunks.Max(c => Manifest.Objects[c.Object].LengthOf(c.Index));
        var parallel = (int)Math.Clamp(MemoryInFlight / Math.Max(1, largest), 2, 8);
        await System.Threading.Tasks.Parallel.ForEachAsync(chunks, new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = ct }, async (chunk, stop) =>
        {
            var length = Manifest.Objects[chunk.Object].LengthOf(chunk.Index);
            var buffer = ArrayPool<byte>.Shared.Rent(length);
            try
            {
                await ReadChunkAsync(Manifest.Objects[chunk.Object], chunk.Index, buffer.AsMemory(0, length), stop);
                use(chunk, buffer.AsMemory(0, length));
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        });
    }

    private async Task ReadChunkAsync(ObjectRecord record, int index, Memory<byte> destination, CancellationToken ct)
    {
        if (await TryReadNearbyAsync(record, index, destination, ct)) return;
        if (!Summary.IsDurable && record != Manifest.Slices) throw new CheckpointException($"{NameOf(record)} lay in memory alone, and no node that answers holds the right bytes of chunk {index} any more");
        // Again on a mismatch: bytes damaged on the way differ from bytes damaged at rest by healing.
        for (var read = 1; ; read++)
        {
            if (await TryReadAsync(record, (long)index * record.ChunkBytes, destination, last: read == Reads, ct) && record.Verify(index, destination.Span)) break;
            if (read == Reads) throw new CheckpointException($"{_store.Description}: {NameOf(record)} is damaged: chunk {index} of {record.ChunkCount} does not have its SHA-256");
        }

        Interlocked.Add(ref _bytes[(int)CheckpointTier.Store], destination.Length);
    }

    /// <summary>From the nearest copy that has the right bytes.</summary>
    private async Task<bool> TryReadNearbyAsync(ObjectRecord record, int index, Memory<byte> destination, CancellationToken ct)
    {
        foreach (var copies in _nearby)
        {
            if (!await copies.TryReadAsync(NameOf(record), (long)index * record.ChunkBytes, destination, ct) || !record.Verify(index, destination.Span)) continue;
            Interlocked.Add(ref _bytes[(int)copies.Tier], destination.Length);
            return true;
        }

        return false;
    }

    private async Task<bool> TryReadAsync(ObjectRecord record, long offset, Memory<byte> destination, bool last, CancellationToken ct)
    {
        try
        {
            await _store.ReadAsync(NameOf(record), offset, destination, ct);
            return true;
        }
        catch (StoreException e) when (e.Fault == StoreFault.Damaged && !last)
        {
            return false;
        }
        catch (StoreException e) when (e.Fault is StoreFault.NotFound or StoreFault.Damaged)
        {
            throw new CheckpointException(e.Message, e);
        }
    }

    private async Task<byte[]> ReadWholeAsync(ObjectRecord record, CancellationToken ct)
    {
        if (record.Bytes > SliceTable.MaxBytes) throw new CheckpointException($"{NameOf(record)} has {record.Bytes} bytes, more than the {SliceTable.MaxBytes} it can have");
        var content = new byte[record.Bytes];
        for (var i = 0; i < record.ChunkCount; i++) await ReadChunkAsync(record, i, content.AsMemory(i * record.ChunkBytes, record.LengthOf(i)), ct);
        return content;
    }

    /// <summary>The chunks that hold runs, each with the range of runs that touch it.</summary>
    private List<Chunk> Chunks(IReadOnlyList<CopyRun> runs)
    {
        var chunks = new List<Chunk>();
        for (var i = 0; i < runs.Count; i++)
        {
            var run = runs[i];
            var size = Manifest.Objects[run.Object].ChunkBytes;
            if (run.SourceEnd > Manifest.Objects[run.Object].Bytes) throw new CheckpointException($"{Summary.Path}: the slice table points behind the end of {Manifest.Objects[run.Object].Name}");
            for (var index = (int)(run.SourceByte / size); run.Length > 0 && index <= (run.SourceEnd - 1) / size; index++)
            {
                if (chunks.Count > 0 && chunks[^1].Object == run.Object && chunks[^1].Index == index) chunks[^1] = chunks[^1] with { LastRun = i };
                else chunks.Add(new(run.Object, index, i, i));
            }
        }

        return chunks;
    }

    private void Scatter(IReadOnlyList<CopyRun> runs, Chunk chunk, ReadOnlySpan<byte> bytes, IReadOnlyList<StateBuffer> buffers)
    {
        var start = (long)chunk.Index * Manifest.Objects[chunk.Object].ChunkBytes;
        for (var i = chunk.FirstRun; i <= chunk.LastRun; i++)
        {
            var run = runs[i];
            var from = Math.Max(run.SourceByte, start);
            var to = Math.Min(run.SourceEnd, start + bytes.Length);
            if (to <= from) continue;
            if ((from - run.SourceByte) % sizeof(float) != 0) throw new CheckpointException($"{Summary.Path}: the slice table points between elements");
            var values = MemoryMarshal.Cast<byte, float>(bytes[(int)(from - start)..(int)(to - start)]);
            buffers[run.Buffer].Write(run.Target + (from - run.SourceByte) / sizeof(float), values);
        }
    }

    private readonly record struct Chunk(int Object, int Index, int FirstRun, int LastRun);
}

/// <summary>Takes verified bytes at an offset of an object.</summary>
public delegate void ReadChunk(long offset, ReadOnlySpan<byte> bytes);
