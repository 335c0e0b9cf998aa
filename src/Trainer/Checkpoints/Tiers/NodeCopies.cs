using Microsoft.Win32.SafeHandles;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Stores;

namespace Opt.Trainer.Checkpoints;

/// <summary>
/// Copies as files below folders of the agent, which outlive its workers: the first folder (shared memory) where there is room, else the next (the
/// node's disk). Of every rank's object the two newest stay: the last committed one is whole while the next is written.
/// </summary>
internal sealed class NodeCopies(IReadOnlyList<string> folders) : INearbyCopies
{
    private const string TemporaryPrefix = ".tmp-";
    private const int Kept = 2;
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

    public async Task<bool> TryKeepAsync(string name, IObjectContent content, CancellationToken ct) => await TryKeepAsync(name, content.Length, async (file, stop) =>
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
    public Task<bool> TryKeepAsync(string name, long length, Stream content, CancellationToken ct) => TryKeepAsync(name, length, async (file, stop) =>
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

    private async Task<bool> TryKeepAsync(string name, long length, Func<SafeFileHandle, CancellationToken, Task> write, CancellationToken ct)
    {
        if (!IsOurs(name)) return false;
        foreach (var root in folders)
        {
            if (await TryKeepAsync(root, name, length, write, ct)) return true;
        }

        return false;
    }

    private async Task<bool> TryKeepAsync(string root, string name, long length, Func<SafeFileHandle, CancellationToken, Task> write, CancellationToken ct)
    {
        var path = Path.Combine(root, name);
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $"{TemporaryPrefix}{Guid.NewGuid():n}");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            TryPrune(Path.GetFileName(name), Kept - 1);
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

    /// <summary>Leaves so many of the newest copies of one rank's object.</summary>
    private void TryPrune(string file, int kept)
    {
        try
        {
            Prune(file, kept);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another rank of this node tidies up at the same moment; the next save prunes again.
        }
    }

    private void Prune(string file, int kept)
    {
        var copies = List().Where(c => c.Name.EndsWith($"/{file}", StringComparison.Ordinal)).OrderByDescending(c => c.ModifiedAt).Skip(kept);
        foreach (var path in copies.Select(c => Find(c.Name)).OfType<string>())
        {
            File.Delete(path);
            var folder = Path.GetDirectoryName(path)!;
            if (Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any()) Directory.Delete(folder);
        }
    }

    /// <summary>Whether it is the name of a checkpoint's object, which is all that is kept here.</summary>
    public static bool IsOurs(string name) => CheckpointNames.TryParse(name, out _, out _);
}
