using Azure.Storage.Blobs;
using Opt.Trainer.Stores;
using Opt.Trainer.Tests.Checkpoints;
using Xunit;

namespace Opt.Trainer.Tests.Stores;

public sealed class TransferTests(Azurite azurite)
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(50), Never = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task A_read_that_hangs_is_asked_again_and_the_second_answer_counts()
    {
        var reads = 0;
        var destination = new byte[4];
        await HedgedRead.RunAsync(async (memory, ct) =>
        {
            if (Interlocked.Increment(ref reads) == 1) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
            memory.Span.Fill(7);
        }, destination, Soon, TimeProvider.System, default);
        Assert.Equal(2, reads);
        Assert.Equal([7, 7, 7, 7], destination);
    }

    [Fact]
    public async Task A_read_that_is_quick_is_asked_once()
    {
        var reads = 0;
        await HedgedRead.RunAsync((_, _) => Task.FromResult(++reads), new byte[4], Never, TimeProvider.System, default);
        Assert.Equal(1, reads);
    }

    [Fact]
    public async Task When_one_of_two_reads_fails_the_other_still_counts_and_when_both_do_the_fault_is_told()
    {
        var reads = 0;
        var destination = new byte[1];
        await HedgedRead.RunAsync(async (memory, ct) =>
        {
            var second = Interlocked.Increment(ref reads) == 2;
            await Task.Delay(TimeSpan.FromMilliseconds(second ? 1 : 200), TimeProvider.System, ct);
            if (second) throw new IOException("reset");
            memory.Span[0] = 9;
        }, destination, Soon, TimeProvider.System, default);
        Assert.Equal(9, destination[0]);
        await Assert.ThrowsAsync<IOException>(() => HedgedRead.RunAsync(async (_, ct) =>
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, ct);
            throw new IOException("reset");
        }, destination, Soon, TimeProvider.System, default));
    }

    [Fact]
    public async Task A_stalled_download_is_overtaken_by_a_second_request()
    {
        var stalls = 0;
        await using var proxy = await FaultProxy.StartAsync(await azurite.EndpointAsync(), (method, target) =>
            method == "GET" && target.Contains("rank-00000", StringComparison.Ordinal) && Interlocked.Increment(ref stalls) == 1 ? HttpFault.Stalled : HttpFault.None);
        var container = new BlobContainerClient(Azurite.ConnectionString(proxy.Endpoint), $"c{Guid.NewGuid():n}");
        var retry = new RetryPolicy(new() { AttemptTimeout = Never, StallTimeout = Never }, TimeProvider.System, () => 0.5);
        await using var store = new AzureBlobStore(container, "", retry, new() { HedgeAfter = TimeSpan.FromMilliseconds(300) }, TimeProvider.System);
        var bytes = new byte[3 << 20];
        new Random(1).NextBytes(bytes);
        await store.WriteAsync("checkpoints/rank-00000", new MemoryContent(bytes), default);
        var back = new byte[bytes.Length];
        await store.ReadAsync("checkpoints/rank-00000", 0, back, default).WaitAsync(TimeSpan.FromMinutes(5), TimeProvider.System);
        Assert.Equal(2, stalls);
        Assert.True(bytes.AsSpan().SequenceEqual(back));
    }

    [Fact]
    public async Task Uploads_keep_to_the_bandwidth_they_are_given()
    {
        using var directory = new TestDirectory();
        var store = new DirectoryStore(directory.Path, new RetryPolicy(new(), TimeProvider.System, () => 0.5), upload: new Bandwidth(64 << 20, TimeProvider.System));
        var start = TimeProvider.System.GetTimestamp();
        await store.WriteAsync("a", new MemoryContent(new byte[32 << 20]), default);
        // Half a second's worth; the first chunk need not wait.
        Assert.True(TimeProvider.System.GetElapsedTime(start).TotalSeconds >= 0.36);
        Assert.Equal(32 << 20, new FileInfo(Path.Combine(directory.Path, "a")).Length);
    }

    [Fact]
    public void A_bandwidth_that_is_no_number_is_refused_by_name()
    {
        var error = Assert.Throws<FormatException>(() => StoreEnvironment.Read(new Dictionary<string, string> { [StoreEnvironment.UploadVariable] = "fast" }.GetValueOrDefault));
        Assert.Equal("OPT_STORE_UPLOAD_BYTES_PER_SECOND is \"fast\", which is not a whole number of at least 1", error.Message);
    }
}
