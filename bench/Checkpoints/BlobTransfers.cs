using Azure.Storage;
using Azure.Storage.Blobs;
using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Bench.Checkpoints;

/// <summary>Our uploads and downloads beside the Azure SDK's parallel transfer: the same bytes, service, block size and number of requests at once, in turns.</summary>
internal static class BlobTransfers
{
    public static async Task MeasureAsync(string program, Shard shard, int rounds)
    {
        using var azurite = await AzuriteProcess.StartAsync(program);
        var options = new AzureBlobStoreOptions();
        var container = new BlobContainerClient(azurite.ConnectionString, "bench");
        await container.CreateAsync();
        await using var store = new AzureBlobStore(container, "", new RetryPolicy(new(), TimeProvider.System, Random.Shared.NextDouble), options, TimeProvider.System);
        var bytes = new byte[shard.Bytes];
        new Random(2).NextBytes(bytes);
        var transfer = new StorageTransferOptions { MaximumConcurrency = options.Parallelism, InitialTransferSize = options.BlockBytes, MaximumTransferSize = options.BlockBytes };
        var checks = new UploadTransferValidationOptions { ChecksumAlgorithm = StorageChecksumAlgorithm.MD5 };
        List<double> up = [], down = [], upRatios = [], downRatios = [];
        var back = new byte[bytes.Length];
        for (var round = 0; round <= rounds; round++)
        {
            var ours = await TimeAsync(() => store.WriteAsync("ours", new MemoryContent(bytes), default));
            var sdk = await TimeAsync(() => container.GetBlobClient("sdk").UploadAsync(new MemoryStream(bytes), new Azure.Storage.Blobs.Models.BlobUploadOptions { TransferOptions = transfer, TransferValidation = checks }));
            var oursBack = await TimeAsync(() => store.ReadAsync("ours", 0, back, default));
            var sdkBack = await TimeAsync(() => container.GetBlobClient("sdk").DownloadToAsync(new MemoryStream(back), transferOptions: transfer));
            if (round == 0) continue;   // warms both
            up.Add(shard.Bytes / ours / (1 << 20));
            down.Add(shard.Bytes / oursBack / (1 << 20));
            upRatios.Add(sdk / ours);
            downRatios.Add(sdkBack / oursBack);
        }

        Figures.Print("upload to Azurite", "MiB/s", [.. up]);
        Figures.Print("upload / the SDK's parallel upload", "speed ratio", [.. upRatios]);
        Figures.Print("download from Azurite", "MiB/s", [.. down]);
        Figures.Print("download / the SDK's parallel download", "speed ratio", [.. downRatios]);
        await MeasureSavesAsync(shard, store, rounds);
    }

    private static async Task MeasureSavesAsync(Shard shard, AzureBlobStore store, int rounds)
    {
        var epoch = (await Shard.FenceAsync(store)).FencedEpoch;
        List<double> cpu = [], memory = [], restores = [];
        await using var session = shard.Open(store, epoch);
        await Saves.SaveAsync(session, 1);
        for (var round = 0; round < rounds; round++)
        {
            var (used, before) = (Environment.CpuUsage.TotalTime, Figures.HeapMiB());
            var peak = before;
            session.Save(Shard.At(round + 2));
            var save = session.WaitUntilSavedAsync(default);
            while (!save.IsCompleted)
            {
                await Task.WhenAny(save, Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System));
                peak = Math.Max(peak, GC.GetTotalMemory(forceFullCollection: false) / 1048576.0);
            }

            cpu.Add((Environment.CpuUsage.TotalTime - used).TotalSeconds / shard.Bytes * (1L << 30));
            memory.Add(peak - before);
            using var log = new CommitLog(store, "bench", "bench", TimeProvider.System);
            restores.Add(await DirectoryTransfers.RestoreAsync(shard.Open(store, epoch), (await log.ReadAsync(default)).ToCatalogue().Checkpoints[^1]));
        }

        Figures.Print("CPU of a save to Azurite (ours, without the service)", "s/GiB", [.. cpu]);
        Figures.Print("managed memory of a save to Azurite above idle", "MiB", [.. memory]);
        Figures.Print("restore from Azurite", "s", [.. restores]);
    }

    private static async Task<double> TimeAsync(Func<Task> work)
    {
        var start = Figures.Now();
        await work();
        return Figures.Since(start);
    }
}
