using Opt.Trainer.Checkpoints;
using Opt.Trainer.Stores;

namespace Opt.Bench.Checkpoints;

/// <summary>What a save costs training: the stall, and what a computation beside the upload loses.</summary>
internal static class Saves
{
    public static async Task MeasureAsync(Shard shard, int rounds)
    {
        var folder = Directory.CreateTempSubdirectory("opt-bench-").FullName;
        await using var store = new DirectoryStore(folder, new RetryPolicy(new(), TimeProvider.System, Random.Shared.NextDouble));
        var epoch = (await Shard.FenceAsync(store)).FencedEpoch;
        await using (var session = shard.Open(store, epoch))
        {
            var copy = shard.Like();
            shard.CopyTo(copy);   // both touch their memory once before they are timed
            await SaveAsync(session, 1);
            List<double> stalls = [], copies = [], ratios = [], inflations = [], cpu = [];
            for (var round = 0; round < rounds; round++)
            {
                var start = Figures.Now();
                shard.CopyTo(copy);
                copies.Add(Figures.Since(start));
                var alone = Compute();
                var used = Environment.CpuUsage.TotalTime;
                stalls.Add(session.Save(Shard.At(round + 2)).TotalSeconds);
                var beside = Compute();
                await session.WaitUntilSavedAsync(default);
                cpu.Add((Environment.CpuUsage.TotalTime - used).TotalSeconds - beside);
                ratios.Add(stalls[^1] / copies[^1]);
                inflations.Add(beside / alone);
            }

            Figures.Print("checkpoint stall", "s", [.. stalls]);
            Figures.Print("plain copy of the same bytes", "s", [.. copies]);
            Figures.Print("stall / copy", "ratio", [.. ratios]);
            Figures.Print("one computing thread beside a save to a folder / alone", "ratio", [.. inflations]);
            Figures.Print("CPU of a save to a folder (hashing and writing)", "s/GiB", [.. cpu.Select(s => s / shard.Bytes * (1L << 30))]);
        }

        Directory.Delete(folder, recursive: true);
    }

    public static async Task SaveAsync(CheckpointSession session, long step)
    {
        session.Save(Shard.At(step));
        await session.WaitUntilSavedAsync(default);
        if (!session.TryTakeOutcome(out var outcome) || !outcome.Committed) throw new InvalidOperationException($"not saved: {outcome?.Error}");
    }

    /// <summary>A fixed piece of arithmetic on one thread, about as long as a short step.</summary>
    private static double Compute()
    {
        var start = Figures.Now();
        var (a, b, c) = (new float[192 * 192], new float[192 * 192], new float[192 * 192]);
        for (var repeat = 0; repeat < 60; repeat++)
        {
            for (var i = 0; i < 192; i++)
            {
                for (var k = 0; k < 192; k++)
                {
                    var x = a[i * 192 + k] + 1;
                    for (var j = 0; j < 192; j++) c[i * 192 + j] += x * b[k * 192 + j];
                }
            }
        }

        return c[0] > 1 ? 0 : Figures.Since(start);
    }
}
