using System.Text.Json.Nodes;

namespace Opt.Bench;

/// <summary>How benchmarks print: one JSON line a figure.</summary>
internal static class Figures
{
    public static long Now() => TimeProvider.System.GetTimestamp();

    public static double Since(long start) => TimeProvider.System.GetElapsedTime(start).TotalSeconds;

    /// <summary>Prints <c>{"name", "unit", "median", "min", "max", "samples"}</c>.</summary>
    public static void Print(string name, string unit, params IReadOnlyCollection<double> samples)
    {
        var sorted = samples.Order().ToArray();
        Console.WriteLine(new JsonObject
        {
            ["name"] = name,
            ["unit"] = unit,
            ["median"] = Math.Round(sorted[sorted.Length / 2], 4),
            ["min"] = Math.Round(sorted[0], 4),
            ["max"] = Math.Round(sorted[^1], 4),
            ["samples"] = sorted.Length,
        }.ToJsonString());
    }

    /// <summary>The value below which <paramref name="share"/> of the samples lie.</summary>
    public static double Percentile(IReadOnlyCollection<double> samples, double share) => samples.Order().ElementAt((int)Math.Min(samples.Count - 1, share * samples.Count));

    /// <summary>What is alive on the managed heap, in MiB.</summary>
    public static double HeapMiB()
    {
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return GC.GetTotalMemory(forceFullCollection: true) / 1048576.0;
    }
}
