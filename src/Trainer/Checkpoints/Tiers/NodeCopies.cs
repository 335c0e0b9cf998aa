using Microsoft.Win32.SafeHandles;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Copies as files below folders of the agent, which outlive its workers: the first folder (shared memory) where there is room, else the next (the
/// node's disk). Of every rank's object two stay: that of the last committed checkpoint and the newest one. So the last committed one is whole while the
/// next is written, however many saves in a row come to nothing.
/// </summary>
internal sealed class NodeCopies(IReadOnlyList<string> folders) : INearbyCopies
{
    private const string TemporaryPrefix = ".tmp-";
    /// <summary>Copies of each rank's object.</summary>
    public const int Kept = 2;

    private const int Chunk = 4 << 20;

    public CheckpointTier Tier => CheckpointTier.Node;

    /// <summary>Names and sizes of all copies.</summary>
    public IReadOnlyList<StoredObject> List() =>
    [
        .. from root in folders.Where(Directory.Exists)
           from file in new DirectoryInfo(root).EnumerateFiles("*", SearchOption.AllDirectories)
           let name = Path.GetRelativePath(root, file.FullName)
           where CheckpointNames.TryParse(name, out _, out _)
           select new StoredObject(name, file.Length, file.LastWriteTimeUtc),
    ];

    /// <summary>The file of a copy; null when there is none.</summary>
    public string? Find(string name) => IsOurs(name) ? folders.Select(root => Path.Combine(root, name)).FirstOrDefault(File.Exists) : null;

    public Task<bool> TryKeepAsync(string name, IObjectContent content, string? beside, CancellationToken ct) => TryKeepAsync(name, content.Length, beside, async (file, stop) =>
    {
        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(Chunk, content.Length));
        for (long offset = 0; offset < content.Length; offset += Chunk)
        {
            var part = buffer.AsMemory(0, (int)Math.Min(Chunk, content.Length - offset));
            content.Read(offset, part.Span);
            await RandomAccess.WriteAsync(file, part, offset, stop);
        }
    }, ct);

    /// <summary>The same for bytes that come as a stream.</summary>
    public Task<bool> TryKeepAsync(string name, long length, Stream content, string? beside, CancellationToken ct) => TryKeepAsync(name, length, beside, async (file, stop) =>
    {
        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Clamp(length, 1, Chunk));
        for (long offset = 0; offset < length;)
        {
            var read = await content.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, length - offset)), stop);
            if (read == 0) throw new EndOfStreamException($"{name} ends {length - offset} bytes too soon");
            await RandomAccess.WriteAsync(file, buffer.AsMemory(0, read), offset, stop);
            offset += read;
        }
    }, ct);

    public async Task<bool> TryReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct)
    {
        try
        {
            if (Find(name) is not { } path) return false;
            using var file = File.OpenHandle(path);
            for (var done = 0; done < destination.Length;)
            {
                var read = await RandomAccess.ReadAsync(file, destination[done..], offset + done, ct);
                if (read == 0) return false;
                done += read;
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;   // pruned just now
        }
    }

    private async Task<bool> TryKeepAsync(string name, long length, string? beside, Func<SafeFileHandle, CancellationToken, Task> write, CancellationToken ct)
    {
        if (!CheckpointNames.TryParse(name, out _, out var epoch) || OthersOf(name).Any(o => o.Epoch > epoch)) return false;
        foreach (var root in folders)
        {
            if (await TryKeepAsync(root, name, length, beside, write, ct)) return true;
        }

        return false;
    }

    private async Task<bool> TryKeepAsync(string root, string name, long length, string? beside, Func<SafeFileHandle, CancellationToken, Task> write, CancellationToken ct)
    {
        var path = Path.Combine(root, name);
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $"{TemporaryPrefix}{Guid.NewGuid():n}");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            TryPrune(name, beside);
            if (new DriveInfo(root).AvailableFreeSpace < length) return false;
            using (var file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write, preallocationSize: length)) await write(file, ct);
            File.Move(temporary, path, overwrite: true);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
        finally
        {
            if (File.Exists(temporary)) File.Delete(temporary);
        }
    }

    private void TryPrune(string name, string? beside)
    {
        try
        {
            Prune(name, beside);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another rank of this node tidies up at the same moment; the next save prunes again.
        }
    }

    /// <summary>Makes room for one copy of a rank's object beside one other.</summary>
    private void Prune(string name, string? beside)
    {
        var others = OthersOf(name).ToArray();
        var kept = beside ?? others.OrderByDescending(o => o.ModifiedAt).Select(o => o.Folder).FirstOrDefault();
        foreach (var path in others.Where(o => o.Folder != kept).Select(o => Find(o.Name)).OfType<string>())
        {
            File.Delete(path);
            var folder = Path.GetDirectoryName(path)!;
            if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
        }
    }

    /// <summary>Copies of the same rank's object in other checkpoints.</summary>
    private IEnumerable<(string Name, string Folder, long Epoch, DateTimeOffset ModifiedAt)> OthersOf(string name)
    {
        var file = $"/{Path.GetFileName(name)}";
        foreach (var copy in List().Where(c => c.Name != name && c.Name.EndsWith(file, StringComparison.Ordinal)))
        {
            if (CheckpointNames.TryParse(copy.Name, out var folder, out var epoch)) yield return (copy.Name, folder, epoch, copy.ModifiedAt);
        }
    }

    /// <summary>Whether it is the name of a checkpoint's object, which is all that is kept here.</summary>
    public static bool IsOurs(string name) => CheckpointNames.TryParse(name, out _, out _);
}
