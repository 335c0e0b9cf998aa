using System.Net.Sockets;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>Restores take the nearest copy with the right bytes. Rank 0 and rank 1 live on nodes a and b, each the other's partner.</summary>
public sealed class NearbyCopiesTests : TwoNodes
{
    [Fact]
    public async Task Survivors_restore_from_their_nodes_memory_and_a_replaced_node_its_own_shards_from_its_partner()
    {
        var summary = await SaveAsync(5);
        Assert.Equal([CheckpointTier.Node, CheckpointTier.Peer], (await Log.ReadAsync(default)).Checkpoints.Values.Single().Commit.Copies);
        B.Wipe();
        await using var run = Start(ObjectsUnreadable());
        var restored = await run.RestoreAllAsync(summary);

        Assert.True(run.Holds(5, dataParallel: 2));
        Assert.Equal([CheckpointTier.Node, CheckpointTier.Peer], restored.Select(OfObjects));
        Assert.Equal(restored[0].Sources[0].Bytes, restored[1].Sources[0].Bytes);   // its own shard and no more
    }

    [Theory]
    [InlineData("damaged")]
    [InlineData("truncated")]
    [InlineData("stale")]
    public async Task A_copy_with_wrong_bytes_is_passed_over_for_the_next_tier(string how)
    {
        var older = await SaveAsync(4);
        var summary = await SaveAsync(5);
        foreach (var file in Directory.GetFiles(A.Folder.Path, "rank-00000.safetensors", SearchOption.AllDirectories)) Spoil(file, how, older);
        await using (var run = Start(ObjectsUnreadable()))
        {
            Assert.Equal(CheckpointTier.Peer, OfObjects((await run.RestoreAllAsync(summary))[0]));
            Assert.True(run.Holds(5, dataParallel: 2));
        }

        foreach (var file in Directory.GetFiles(B.Folder.Path, "rank-00000.safetensors", SearchOption.AllDirectories)) Spoil(file, how, older);
        await using var last = Start(Store);
        Assert.Equal(CheckpointTier.Store, OfObjects((await last.RestoreAllAsync(summary))[0]));
        Assert.True(last.Holds(5, dataParallel: 2));
    }

    [Fact]
    public async Task Without_any_good_copy_all_ranks_fall_back_to_the_previous_checkpoint_with_the_reason()
    {
        await SaveAsync(4);
        var summary = await SaveAsync(5);
        foreach (var folder in new[] { A.Folder.Path, B.Folder.Path, Folder.Path })
        {
            foreach (var file in Directory.GetFiles(Path.Combine(folder, summary.Path), "rank-00001.safetensors")) Spoil(file, "damaged", summary);
        }

        await using var run = Start(Store);
        var restored = await run.RestoreAsync(summary);
        Assert.Equal(4, restored.Checkpoint.Step);
        Assert.Contains("rank-00001.safetensors is damaged", Assert.Single(restored.Skipped).Reason, StringComparison.Ordinal);
        Assert.True(run.Holds(4, dataParallel: 2));
    }

    [Fact]
    public async Task A_partner_that_is_gone_delays_neither_a_save_nor_a_restore()
    {
        var nobody = new Uri("http://127.0.0.1:1");
        await using (var run = TestRun.Start(Store, 1, TestModel.World(2, 1, 5), nearby: _ => A.With(nobody))) Assert.True((await run.SaveAsync(5)).Committed);
        var known = (await Log.ReadAsync(default)).Checkpoints.Values.Single();
        Assert.Equal([CheckpointTier.Node], known.Commit.Copies);
        A.Wipe();
        await using var loader = TestRun.Start(Store, 1, TestModel.World(2, 1, step: null), nearby: _ => A.With(nobody));
        Assert.Equal(CheckpointTier.Store, OfObjects(await loader.RestoreAsync(known.ToSummary())));
        Assert.True(loader.Holds(5, dataParallel: 2));
    }

    [Fact]
    public async Task A_partner_that_never_answers_delays_the_commit_by_the_grace_and_no_more()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();   // connections wait in its queue for ever
        var silent = new Uri($"http://{listener.LocalEndpoint}");
        await using var run = TestRun.Start(Store, 1, TestModel.World(2, 1, 5), nearby: _ => A.With(silent), copyGrace: TimeSpan.FromMilliseconds(300));
        Assert.True((await run.SaveAsync(5).WaitAsync(TimeSpan.FromMinutes(5), TimeProvider.System)).Committed);   // a partner has ten otherwise
        Assert.Equal([CheckpointTier.Node], (await Log.ReadAsync(default)).Checkpoints.Values.Single().Commit.Copies);
    }

    [Fact]
    public async Task Copies_serve_another_world_size_too()
    {
        var summary = await SaveAsync(5);
        await using var run = TestRun.Start(ObjectsUnreadable(), 1, TestModel.World(3, 1, step: null), nearby: _ => A.With(B.Address));
        await run.RestoreAsync(summary);
        Assert.True(run.Holds(5, dataParallel: 3));
    }

    [Fact]
    public async Task Two_copies_of_each_ranks_object_stay_and_a_folder_without_room_gives_way_to_the_next()
    {
        using var first = new TestDirectory();
        using var second = new TestDirectory();
        var full = Path.Combine(first.Path, "not-a-folder");
        await File.WriteAllTextAsync(full, "");
        var copies = new NodeCopies([full, second.Path]);
        for (var step = 1; step <= 4; step++)
        {
            for (var rank = 0; rank < 2; rank++) Assert.True(await copies.TryKeepAsync($"{CheckpointNames.Folder(step, step, 1)}/{CheckpointNames.Shard(rank)}", new MemoryContent(new byte[] { (byte)step }), null, default));
        }

        Assert.Equal(4, copies.List().Count);
        Assert.All(copies.List(), c => Assert.True(c.Name.Contains("step-000000003", StringComparison.Ordinal) || c.Name.Contains("step-000000004", StringComparison.Ordinal), c.Name));
        Assert.False(await copies.TryKeepAsync("../outside", new MemoryContent(new byte[1]), null, default));
        for (var step = 5; step <= 7; step++) Assert.True(await copies.TryKeepAsync($"{CheckpointNames.Folder(step, step, 1)}/{CheckpointNames.Shard(0)}", new MemoryContent(new byte[1]), CheckpointNames.Folder(3, 3, 1), default));
        Assert.Equal([3L, 7L], copies.List().Where(c => c.Name.EndsWith(CheckpointNames.Shard(0), StringComparison.Ordinal)).Select(c => long.Parse(c.Name.AsSpan("checkpoints/step-".Length, 9), System.Globalization.CultureInfo.InvariantCulture)).Order());
        Assert.True(await copies.TryKeepAsync($"{CheckpointNames.Folder(4, 4, 2)}/{CheckpointNames.Shard(0)}", new MemoryContent(new byte[1]), null, default));
        Assert.False(await copies.TryKeepAsync($"{CheckpointNames.Folder(8, 8, 1)}/{CheckpointNames.Shard(0)}", new MemoryContent(new byte[1]), null, default));   // a worker of an older epoch
        Assert.Equal("", await File.ReadAllTextAsync(full));
    }

    private TestRun Start(ICheckpointStore store) => TestRun.Start(store, 1, TestModel.World(2, 1, step: null), nearby: Nearby);

    private async Task<CheckpointSummary> SaveAsync(long step)
    {
        await using var run = TestRun.Start(Store, 1, TestModel.World(2, 1, step), nearby: Nearby);
        Assert.Null((await run.SaveAsync(step)).Error);
        return (await Log.ReadAsync(default)).ToCatalogue().Checkpoints[^1];
    }

    /// <summary>The store with the ranks' objects out of reach: only a nearer copy can have served them.</summary>
    private FaultyStore ObjectsUnreadable() => new(Store, (verb, name) => verb == "range" && name.Contains("rank-", StringComparison.Ordinal) ? Fault.LostRequest : Fault.None);

    private static CheckpointTier OfObjects(RestoredCheckpoint restored) => Assert.Single(restored.Sources, s => s.Tier != CheckpointTier.Store || restored.Sources.Count == 1).Tier;

    private static void Spoil(string file, string how, CheckpointSummary older)
    {
        var bytes = File.ReadAllBytes(file);
        if (how == "damaged") bytes[bytes.Length / 2] ^= 1;
        if (how == "truncated") bytes = bytes[..(bytes.Length / 2)];
        if (how == "stale" && !file.Contains(older.Path, StringComparison.Ordinal)) bytes = File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(file)!, "..", Path.GetFileName(older.Path), Path.GetFileName(file)));
        File.WriteAllBytes(file, bytes);
    }
}
