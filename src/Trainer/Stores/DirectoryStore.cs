using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace Opt.Trainer.Stores;

/// <summary>
/// Objects as files below a folder, on a local disk or a shared mount. An object appears by link(2) or rename(2) of a finished, fsynced
/// file whose folder is fsynced after it, so it is whole or absent even after power loss. File calls block; they run on pool threads so
/// that a mount that hangs costs its caller a deadline and no more: a thread left behind in it never touches the caller's memory again.
/// </summary>
public sealed class DirectoryStore : ICheckpointStore
{
    private const string TemporaryPrefix = ".tmp-";

    /// <summary>Small enough that what was copied in is still in the cache when it is copied out.</summary>
    private const int Chunk = 1 << 20;

    /// <summary>The disk begins with this much while the rest is copied in, so that the fsync at the end has little left to wait for.</summary>
    private const int WritebackChunk = 8 << 20;
    private readonly string _root;
    private readonly RetryPolicy _retry;
    private readonly Bandwidth? _upload;

    /// <param name="root">Must exist unless <paramref name="createRoot"/>: a mount that is missing must not fill the pod's own disk.</param>
    /// <param name="upload">Limit of writes of large objects; null for none.</param>
    public DirectoryStore(string root, RetryPolicy retry, bool createRoot = false, Bandwidth? upload = null)
    {
        _upload = upload;
        _root = Path.GetFullPath(root);
        _retry = retry;
        if (createRoot) Directory.CreateDirectory(_root);
    }

    public string Description => _root;

    public Task<bool> TryCreateAsync(string name, ReadOnlyMemory<byte> content, CancellationToken ct) => RunAsync(name, () =>
    {
        var path = PathOf(name);
        if (File.Exists(path)) return false;
        var folder = MakeFolder(name);
        var temporary = WriteTemporary(folder, new MemoryContent(content), new(_retry.Time), ct);
        try
        {
            var errno = Posix.Link(temporary, path);
            if (errno is not (0 or Posix.EEXIST)) throw DirectoryFaults.Explain(_root, name, errno);
            Sync(folder);
            return errno == 0;
        }
        finally
        {
            File.Delete(temporary);
        }
    }, ct);

    public Task WriteAsync(string name, IObjectContent content, CancellationToken ct)
    {
        if (_upload is { } limit) content = new LimitedContent(content, limit, ct);
        // No attempt deadline over the whole object, which may be large: cancellation alone ends it, also while a write hangs.
        var memory = new Abandonable(_retry.Time);
        return GuardAsync(name, () => memory.WaitAsync(Task.Run(() =>
        {
            var folder = MakeFolder(name);
            var temporary = WriteTemporary(folder, content, memory, ct);
            File.Move(temporary, PathOf(name), overwrite: true);
            Sync(folder);
            return true;
        }, ct), ct));
    }

    public Task<byte[]?> TryReadAsync(string name, int atMost, CancellationToken ct) => RunAsync(name, () =>
    {
        if (!TryOpen(name, out var file)) return null;
        using (file)
        {
            var length = RandomAccess.GetLength(file);
            if (length > atMost) throw new StoreException(StoreFault.Damaged, $"{_root}: {name} has {length} bytes, more than the {atMost} it can have");
            var content = new byte[length];
            Fill(name, file, 0, content, new(_retry.Time));
            return content;
        }
    }, ct);

    public Task ReadAsync(string name, long offset, Memory<byte> destination, CancellationToken ct) => _retry.ExecuteAsync($"{_root}: {name}", attempt =>
    {
        var memory = new Abandonable(_retry.Time);
        return GuardAsync(name, () => memory.WaitAsync(Task.Run(() =>
        {
            if (!TryOpen(name, out var file)) throw new StoreException(StoreFault.NotFound, $"{_root}: {name} does not exist");
            using (file) Fill(name, file, offset, destination.Span, memory);
            return true;
        }, attempt), attempt));
    }, ct);

    public async IAsyncEnumerable<StoredObject> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken ct)
    {
        foreach (var found in await RunAsync(prefix, () => List(prefix), ct)) yield return found;
    }

    public Task DeleteAsync(string name, CancellationToken ct) => RunAsync(name, () =>
    {
        var path = PathOf(name);
        if (!File.Exists(path)) return true;
        try
        {
            File.Delete(path);
            var folder = Path.GetDirectoryName(path)!;
            Sync(folder);
            RemoveEmptyFolders(folder);
        }
        catch (Exception e) when (e is DirectoryNotFoundException or StoreException { Fault: StoreFault.NotFound })
        {
            // Somebody deletes its neighbours at the same time and took the empty folder away.
        }

        return true;
    }, ct);

    public Task DeleteAbandonedAsync(TimeSpan untouchedFor, CancellationToken ct) => RunAsync("", () =>
    {
        // By the file system's clock on both sides of the comparison, which another machine's clock must not upset.
        var now = Touch();
        foreach (var file in new DirectoryInfo(_root).EnumerateFiles($"{TemporaryPrefix}*", SearchOption.AllDirectories))
        {
            if (now - file.LastWriteTimeUtc < untouchedFor) continue;
            file.Delete();
            RemoveEmptyFolders(file.DirectoryName!);   // deleting just touched it: it would look too young below
        }

        foreach (var folder in new DirectoryInfo(_root).EnumerateDirectories("*", SearchOption.AllDirectories).OrderByDescending(f => f.FullName.Length))
        {
            if (folder.Exists && now - folder.LastWriteTimeUtc >= untouchedFor) RemoveEmptyFolders(folder.FullName);
        }

        return true;
    }, ct);

    public Task CheckAsync(CancellationToken ct) => RunAsync("", () =>
    {
        if (!Directory.Exists(_root)) throw MissingRoot();
        _ = Directory.EnumerateFileSystemEntries(_root).Any();
        return true;
    }, ct);

    public ValueTask DisposeAsync() => default;

    private string PathOf(string name) => Path.Combine(_root, StoreNames.Checked(name));

    private StoreException MissingRoot() => new(StoreFault.NotFound, $"{_root} does not exist: is the volume mounted there?");

    private bool TryOpen(string name, out SafeFileHandle file)
    {
        try
        {
            file = File.OpenHandle(PathOf(name), options: FileOptions.RandomAccess);
            return true;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            if (!Directory.Exists(_root)) throw MissingRoot();
            file = null!;
            return false;
        }
    }

    private void Fill(string name, SafeFileHandle file, long offset, Span<byte> destination, Abandonable memory)
    {
        var buffer = GC.AllocateUninitializedArray<byte>(Math.Min(Chunk, destination.Length));
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(file, buffer.AsSpan(0, Math.Min(buffer.Length, destination.Length)), offset);
            if (read == 0) throw new StoreException(StoreFault.Damaged, $"{_root}: {name} ends at byte {offset}, {destination.Length} bytes too soon");
            memory.Copy(buffer.AsSpan(0, read), destination);
            destination = destination[read..];
            offset += read;
        }
    }

    /// <summary>Creates the folder of an object; every new name on the way is made durable.</summary>
    private string MakeFolder(string name)
    {
        if (!Directory.Exists(_root)) throw MissingRoot();
        var folder = Path.GetDirectoryName(PathOf(name))!;
        var missing = new Stack<string>();
        for (var parent = folder; !Directory.Exists(parent); parent = Path.GetDirectoryName(parent)!) missing.Push(parent);
        foreach (var path in missing)
        {
            Directory.CreateDirectory(path);
            Sync(Path.GetDirectoryName(path)!);
        }

        return folder;
    }

    private static string WriteTemporary(string folder, IObjectContent content, Abandonable memory, CancellationToken ct)
    {
        var path = Path.Combine(folder, $"{TemporaryPrefix}{Guid.NewGuid():n}");
        try
        {
            using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(Chunk, content.Length));
            for (long offset = 0; offset < content.Length; offset += Chunk)
            {
                ct.ThrowIfCancellationRequested();
                var part = buffer.AsSpan(0, (int)Math.Min(Chunk, content.Length - offset));
                memory.Read(content, offset, part);
                RandomAccess.Write(file, part, offset);
                var end = offset + part.Length;
                if (end % WritebackChunk == 0) Posix.BeginWriteback(file, end - WritebackChunk, WritebackChunk);
            }

            RandomAccess.FlushToDisk(file);
            ct.ThrowIfCancellationRequested();   // it took its time: nobody may expect the object any more
            return path;
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    private StoredObject[] List(string prefix)
    {
        if (!Directory.Exists(_root)) throw MissingRoot();
        var slash = prefix.LastIndexOf('/');
        var folder = slash < 0 ? _root : Path.Combine(_root, prefix[..slash]);
        if (!Directory.Exists(folder)) return [];
        try
        {
            return
            [
                .. from file in new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories)
                   where !file.Name.StartsWith(TemporaryPrefix, StringComparison.Ordinal)
                   let name = Path.GetRelativePath(_root, file.FullName)
                   where name.StartsWith(prefix, StringComparison.Ordinal) && file.Exists
                   select new StoredObject(name, file.Length, file.LastWriteTimeUtc),
            ];
        }
        catch (DirectoryNotFoundException e)
        {
            throw new StoreException(StoreFault.Transient, $"{_root}: a folder vanished while {prefix} was listed", e);   // pruned by someone: list again
        }
    }

    /// <summary>Content whose reader, a pool thread that writes files, waits for its turn.</summary>
    private sealed class LimitedContent(IObjectContent content, Bandwidth limit, CancellationToken ct) : IObjectContent
    {
        public long Length => content.Length;

        public void Read(long offset, Span<byte> destination)
        {
            limit.TakeAsync(destination.Length, ct).AsTask().GetAwaiter().GetResult();
            content.Read(offset, destination);
        }
    }

    /// <summary>The file system's idea of now.</summary>
    private DateTime Touch()
    {
        var path = Path.Combine(_root, $"{TemporaryPrefix}{Guid.NewGuid():n}");
        File.WriteAllBytes(path, []);
        var now = File.GetLastWriteTimeUtc(path);
        File.Delete(path);
        return now;
    }

    private void RemoveEmptyFolders(string folder)
    {
        try
        {
            for (; folder.Length > _root.Length && !Directory.EnumerateFileSystemEntries(folder).Any(); folder = Path.GetDirectoryName(folder)!) Directory.Delete(folder);
        }
        catch (IOException)
        {
            // Another process put something in, or took it away: either way it is not ours to remove.
        }
    }

    private void Sync(string folder)
    {
        var errno = Posix.SyncDirectory(folder);
        if (errno != 0) throw DirectoryFaults.Explain(_root, Path.GetRelativePath(_root, folder), errno);
    }

    private Task<T> RunAsync<T>(string name, Func<T> work, CancellationToken ct) =>
        _retry.ExecuteAsync($"{_root}: {name}", attempt => GuardAsync(name, () => Task.Run(work, attempt).WaitAsync(attempt)), ct);

    private async Task<T> GuardAsync<T>(string name, Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is not (OperationCanceledException or StoreException or ArgumentException))
        {
            throw DirectoryFaults.Explain(_root, name, e);
        }
    }
}
