using System.Text.Json.Nodes;

namespace Opt.Bench;

internal static class Figures
{
    public static long Now() => TimeProvider.System.GetTimestamp();

    public static double Since(long start) => TimeProvider.System.GetElapsedTime(start).TotalSeconds;

    public static void Print(string name, string unit, params double[] samples)
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
