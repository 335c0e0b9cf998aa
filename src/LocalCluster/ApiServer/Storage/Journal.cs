using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Storage;

/// <summary>
/// Keeps the store in a directory: a snapshot, and a line for every commit since. A line is handed to the operating system before its commit is
/// seen, so what a client was told survives the process, though not the machine. A torn last line is a commit that nobody was told of.
/// </summary>
public sealed class Journal : IDisposable
{
    private const string SnapshotName = "snapshot.jsonl";
    private const string LogName = "log.jsonl";
    private readonly string _directory;
    private readonly long _rotateAt;
    private readonly FileStream _lock;
    private FileStream _log;

    private Journal(string directory, long rotateAt, FileStream @lock)
    {
        (_directory, _rotateAt, _lock) = (directory, rotateAt, @lock);
        _log = OpenLog();
    }

    /// <summary>Opens a directory, made when missing, and reads what it holds.</summary>
    /// <param name="rotateAt">Bytes of log after which a new snapshot is written.</param>
    /// <exception cref="IOException">Another process has it open, or a file in it is damaged.</exception>
    public static (Journal Journal, long Revision, List<(string Resource, long ResourceVersion, JsonObject Tree)> Objects) Open(string directory, long rotateAt = 64L << 20)
    {
        Directory.CreateDirectory(directory);
        var held = Lock(directory);
        var objects = new Dictionary<(string Resource, string Key), (long, JsonObject)>();
        var revision = Read(Path.Combine(directory, SnapshotName), objects, 0, mayBeTorn: false);
        revision = Read(Path.Combine(directory, LogName), objects, revision, mayBeTorn: true);
        return (new Journal(directory, rotateAt, held), revision, [.. objects.Select(o => (o.Key.Resource, o.Value.Item1, o.Value.Item2))]);
    }

    /// <summary>Writes one commit. Called under the store's lock, so lines are in order.</summary>
    public void Append(string resource, StoreEvent change)
    {
        var line = new MemoryStream(change.Object.Json.Length + 128);
        Write(line, resource, change.Object, change.Change == Change.Deleted);
        _log.Write(line.GetBuffer().AsSpan(0, (int)line.Length));
        _log.Flush();
    }

    /// <summary>The log has grown long enough to start anew.</summary>
    public bool IsDue => _log.Length > _rotateAt;

    /// <summary>Replaces snapshot and log by a new snapshot. Called under the store's lock.</summary>
    public void Rotate(IEnumerable<(string Resource, StoredObject Object)> objects, long revision)
    {
        var temporary = Path.Combine(_directory, SnapshotName + ".tmp");
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
        {
            foreach (var (resource, item) in objects) Write(file, resource, item, deleted: false);
            file.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"revision\":{revision}}}\n")));
        }

        File.Move(temporary, Path.Combine(_directory, SnapshotName), overwrite: true);
        _log.Dispose();
        File.Delete(Path.Combine(_directory, LogName));
        _log = OpenLog();
    }

    public void Dispose()
    {
        _log.Dispose();
        _lock.Dispose();
    }

    private FileStream OpenLog() => new(Path.Combine(_directory, LogName), FileMode.Append, FileAccess.Write, FileShare.Read, bufferSize: 0);

    private static FileStream Lock(string directory)
    {
        try
        {
            return new FileStream(Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new IOException($"The data directory {directory} is in use by another process.", e);
        }
    }

    private static void Write(Stream stream, string resource, StoredObject item, bool deleted)
    {
        stream.Write(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"resource\":\"{resource}\",\"deleted\":{(deleted ? "true" : "false")},\"object\":")));
        stream.Write(item.Json.Span);
        stream.Write("}\n"u8);
    }

    private static long Read(string file, Dictionary<(string, string), (long, JsonObject)> objects, long revision, bool mayBeTorn)
    {
        if (!File.Exists(file)) return revision;
        var torn = -1L;
        var end = 0L;
        foreach (var line in File.ReadLines(file))
        {
            if (torn >= 0) throw new IOException($"{file} is damaged at byte {torn}.");
            if (Parse(line) is not { } entry)
            {
                if (!mayBeTorn) throw new IOException($"{file} is damaged at byte {end}.");
                torn = end;
                continue;
            }

            end += Encoding.UTF8.GetByteCount(line) + 1;
            revision = Math.Max(revision, Take(entry, objects));
        }

        if (torn >= 0)
        {
            using var truncate = new FileStream(file, FileMode.Open, FileAccess.Write);
            truncate.SetLength(torn);
        }

        return revision;
    }

    private static long Take(JsonObject entry, Dictionary<(string, string), (long, JsonObject)> objects)
    {
        if (entry.Long("revision") is { } revision) return revision;
        var (resource, tree) = (entry.Str("resource")!, (JsonObject)entry["object"]!);
        entry.Remove("object");
        var version = long.Parse(tree.Str("metadata", "resourceVersion")!, NumberStyles.None, CultureInfo.InvariantCulture);
        var key = (resource, StoredObject.KeyOf(tree.Namespace(), tree.Name()));
        if (entry["deleted"].Bool() == true) objects.Remove(key);
        else objects[key] = (version, tree);
        return version;
    }

    private static JsonObject? Parse(string line)
    {
        try
        {
            return JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
