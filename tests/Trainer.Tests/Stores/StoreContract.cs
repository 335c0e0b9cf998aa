using Opt.Trainer.Stores;
using Xunit;

namespace Opt.Trainer.Tests.Stores;

/// <summary>What every kind of store promises.</summary>
public abstract class StoreContract : IAsyncLifetime
{
    protected ICheckpointStore Store { get; private set; } = null!;

    protected abstract Task<ICheckpointStore> OpenAsync();

    public async ValueTask InitializeAsync() => Store = await OpenAsync();

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Store is not null) await Store.DisposeAsync();
    }

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Of_many_racing_creators_exactly_one_wins_and_its_bytes_stay()
    {
        var wins = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Store.TryCreateAsync("log/000000000001.json", new[] { (byte)i }, Ct)));

        Assert.Single(wins, won => won);
        Assert.Equal(new[] { (byte)Array.IndexOf(wins, true) }, await Store.TryReadAsync("log/000000000001.json", 10, Ct));
        Assert.False(await Store.TryCreateAsync("log/000000000001.json", new byte[] { 99 }, Ct));
    }

    [Fact]
    public async Task An_absent_object_reads_as_null_and_its_ranges_as_not_found()
    {
        Assert.Null(await Store.TryReadAsync("log/nothing.json", 10, Ct));
        var error = await Assert.ThrowsAsync<StoreException>(() => Store.ReadAsync("log/nothing.json", 0, new byte[1], Ct));
        Assert.Equal(StoreFault.NotFound, error.Fault);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData((20 << 20) + 12345)]
    public async Task A_written_object_reads_back_whole_and_in_ranges(int length)
    {
        var bytes = new byte[length];
        new Random(7).NextBytes(bytes);
        await Store.WriteAsync("checkpoints/a/rank-00000.safetensors", new MemoryContent(bytes), Ct);

        var back = new byte[length];
        await Store.ReadAsync("checkpoints/a/rank-00000.safetensors", 0, back, Ct);
        Assert.True(bytes.AsSpan().SequenceEqual(back));

        var from = length / 3;
        var range = new byte[length / 2];
        await Store.ReadAsync("checkpoints/a/rank-00000.safetensors", from, range, Ct);
        Assert.True(bytes.AsSpan(from, range.Length).SequenceEqual(range));
    }

    [Fact]
    public async Task Writing_again_replaces_the_object()
    {
        await Store.WriteAsync("a/b", new MemoryContent(new byte[] { 1, 2, 3 }), Ct);
        await Store.WriteAsync("a/b", new MemoryContent(new byte[] { 4 }), Ct);
        Assert.Equal(new byte[] { 4 }, await Store.TryReadAsync("a/b", 10, Ct));
    }

    [Fact]
    public async Task Reading_past_the_end_is_reported_as_damage()
    {
        await Store.WriteAsync("a/short", new MemoryContent(new byte[100]), Ct);
        Assert.Equal(StoreFault.Damaged, (await Assert.ThrowsAsync<StoreException>(() => Store.ReadAsync("a/short", 50, new byte[51], Ct))).Fault);
        Assert.Equal(StoreFault.Damaged, (await Assert.ThrowsAsync<StoreException>(() => Store.ReadAsync("a/short", 200, new byte[1], Ct))).Fault);
    }

    [Fact]
    public async Task A_small_read_refuses_more_bytes_than_the_caller_allows()
    {
        await Store.WriteAsync("a/big", new MemoryContent(new byte[100]), Ct);
        Assert.Equal(StoreFault.Damaged, (await Assert.ThrowsAsync<StoreException>(() => Store.TryReadAsync("a/big", 99, Ct))).Fault);
    }

    [Fact]
    public async Task A_listing_gives_names_and_sizes_below_the_prefix_only()
    {
        foreach (var (name, size) in new[] { ("log/1.json", 1), ("log/2.json", 2), ("logs.txt", 3), ("checkpoints/x/manifest.json", 4) })
        {
            await Store.WriteAsync(name, new MemoryContent(new byte[size]), Ct);
        }

        Assert.Equal([("log/1.json", 1L), ("log/2.json", 2L)], await NamesAsync("log/"));
        Assert.Equal([("log/1.json", 1L), ("log/2.json", 2L), ("logs.txt", 3L)], await NamesAsync("log"));
        Assert.Equal([("checkpoints/x/manifest.json", 4L)], await NamesAsync("checkpoints/x/"));
        Assert.Empty(await NamesAsync("nothing/"));
    }

    [Fact]
    public async Task Deleting_removes_the_object_and_may_be_repeated()
    {
        await Store.WriteAsync("a/b/c", new MemoryContent(new byte[1]), Ct);
        await Store.DeleteAsync("a/b/c", Ct);
        await Store.DeleteAsync("a/b/c", Ct);
        Assert.Null(await Store.TryReadAsync("a/b/c", 10, Ct));
        Assert.Empty(await NamesAsync("a/"));
    }

    [Fact]
    public async Task Neighbours_can_be_deleted_at_the_same_time()
    {
        for (var round = 0; round < 10; round++)
        {
            var names = Enumerable.Range(0, 8).Select(i => $"checkpoints/x/rank-{i}").ToArray();
            foreach (var name in names) await Store.WriteAsync(name, new MemoryContent(new byte[1]), Ct);
            await Task.WhenAll(names.Select(name => Store.DeleteAsync(name, Ct)));
            Assert.Empty(await NamesAsync("checkpoints/"));
        }
    }

    [Theory]
    [InlineData("../x")]
    [InlineData("/x")]
    [InlineData("a//b")]
    [InlineData("a/.tmp-1")]
    [InlineData("")]
    [InlineData("a b")]
    public async Task A_name_that_could_leave_the_store_is_refused(string name) =>
        await Assert.ThrowsAsync<ArgumentException>(() => Store.TryCreateAsync(name, new byte[1], Ct));

    [Fact]
    public async Task A_healthy_store_passes_its_check() => await Store.CheckAsync(Ct);

    private async Task<List<(string, long)>> NamesAsync(string prefix)
    {
        var names = new List<(string, long)>();
        await foreach (var found in Store.ListAsync(prefix, Ct)) names.Add((found.Name, found.Bytes));
        names.Sort();
        return names;
    }
}
