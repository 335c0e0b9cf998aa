using System.Diagnostics;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Bench.Checkpoints;

/// <summary>
/// A folder beside cp followed by sync of the file (a checkpoint is durable when it is committed), both from shared memory as a snapshot is; and restores from it and from the node's memory.
/// </summary>
internal static class DirectoryTransfers
{
    public static async Task MeasureAsync(Shard shard, int rounds)
    {
        var folder = Directory.CreateTempSubdirectory("opt-bench-").FullName;
        var memory = Directory.Exists("/dev/shm") ? Directory.CreateTempSubdirectory("opt-bench-").FullName.Replace(Path.GetTempPath(), "/dev/shm/", StringComparison.Ordinal) : null;
        if (memory is not null) Directory.CreateDirectory(memory);
        var store = new DirectoryStore(folder, new RetryPolicy(new(), TimeProvider.System, Random.Shared.NextDouble));
        var epoch = (await Shard.FenceAsync(store)).FencedEpoch;
        var node = new NodeCopies([memory ?? Path.Combine(folder, "node")]);
        List<double> writes = [], ratios = [], fromNode = [], fromStore = [];
        for (var round = 0; round < rounds; round++)
        {
            await using var session = shard.Open(store, epoch, [node]);
            session.Save(Shard.At(round + 1));
            await session.WaitUntilSavedAsync(default);
            using var log = new CommitLog(store, "bench", "bench", TimeProvider.System);
            var newest = (await log.ReadAsync(default)).ToCatalogue().Checkpoints[^1];
            fromNode.Add(await RestoreAsync(shard.Open(store, epoch, [node]), newest));
            fromStore.Add(await RestoreAsync(shard.Open(store, epoch), newest));

            var source = node.Find($"{newest.Path}/rank-00000.safetensors") ?? throw new InvalidOperationException("the node kept no copy");
            var target = Path.Combine(folder, "by-cp");
            var content = new MappedContent(source);
            List<double> ours = [], theirs = [];
            for (var turn = 0; turn < 4; turn++)
            {
                var start = Figures.Now();
                await store.WriteAsync("by-us", content, default);
                ours.Add(Figures.Since(start));
                await store.DeleteAsync("by-us", default);
                start = Figures.Now();
                Run("cp", source, target);
                Run("sync", target);
                theirs.Add(Figures.Since(start));
                File.Delete(target);
            }

            writes.AddRange(ours);
            ratios.AddRange(ours.Zip(theirs, (mine, cp) => cp / mine));
        }

        Figures.Print("write to a folder", "MiB/s", [.. writes.Select(s => shard.Bytes / s / (1 << 20))]);
        Figures.Print("write to a folder / cp and sync of the same file", "speed ratio", [.. ratios]);
        Figures.Print("restore from the node's memory", "s", [.. fromNode]);
        Figures.Print("restore from a folder (page cache)", "s", [.. fromStore]);
        Directory.Delete(folder, recursive: true);
        if (memory is not null) Directory.Delete(memory, recursive: true);
    }

    public static async Task<double> RestoreAsync(CheckpointSession session, Opt.Api.Protocol.CheckpointSummary checkpoint)
    {
        await using (session)
        {
            var start = Figures.Now();
            await session.RestoreAsync(checkpoint, null, default);
            return Figures.Since(start);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{program} ended with {process.ExitCode}");
    }

    /// <summary>A file's bytes, as cp sees them.</summary>
    private sealed class MappedContent(string path) : IObjectContent
    {
        private readonly Microsoft.Win32.SafeHandles.SafeFileHandle _file = File.OpenHandle(path);

        public long Length => RandomAccess.GetLength(_file);

        public void Read(long offset, Span<byte> destination)
        {
            while (destination.Length > 0)
            {
                var read = RandomAccess.Read(_file, destination, offset);
                destination = destination[read..];
                offset += read;
            }
        }
    }
}
